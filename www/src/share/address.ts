// What the page's address asks for when it is opened, and when a person puts another link into it.

import type { Session } from '../state/session.ts';
import { decode } from './link.ts';

export interface Begun {
  readonly script: string | null;
  readonly problem: string | null;
}

export async function fromAddress(hash: string): Promise<Begun> {
  try {
    return { script: await decode(hash), problem: null };
  } catch (problem) {
    return { script: null, problem: problem instanceof Error ? problem.message : String(problem) };
  }
}

/** Follows links that are put into the address of a page that is open. */
export function followAddress(session: Session): () => void {
  const follow = async () => {
    const { script, problem } = await fromAddress(location.hash);
    if (script !== null) session.openScript(script);
    if (problem !== null) session.problem.value = problem;
  };
  addEventListener('hashchange', follow);
  return () => removeEventListener('hashchange', follow);
}
