// Traces that the page has by itself: one that was recorded, and some that are made.

import sprite from '../../../tests/data/sprite.csv.gz?url';
import { MADE, made } from './made.ts';

export const BUILT_IN = { sprite: 'Recorded: file blocks of Sprite', ...MADE } as const;
export type BuiltIn = keyof typeof BUILT_IN;

/** @throws when the recorded one cannot be fetched. */
export async function builtIn(name: BuiltIn): Promise<File> {
  if (name === 'sprite') {
    const answer = await fetch(sprite).catch(() => null);
    if (!answer?.ok)
      throw new Error('The recorded trace cannot be fetched: there is no network. The others need none.');
    return new File([await answer.arrayBuffer()], 'sprite.csv.gz');
  }
  return new File([made(name)], `${name}.txt`);
}
