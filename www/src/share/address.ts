// What the page's address asks for when it is opened, and when a person puts another link into it: a run that was
// shared, or a lesson by its name.

import { effect } from '@preact/signals';
import { LESSONS } from '../lessons/all.ts';
import type { Lesson } from '../lessons/lesson.ts';
import type { Session } from '../state/session.ts';
import { decode } from './link.ts';

export interface Begun {
  /** A script to begin with, or a lesson. */
  readonly first: string | Lesson | null;
  readonly problem: string | null;
}

export async function fromAddress(hash: string): Promise<Begun> {
  const [, name] = /^#lesson=(.*)$/.exec(hash) ?? [];
  if (name !== undefined) return lessonNamed(name);
  try {
    return { first: await decode(hash), problem: null };
  } catch (problem) {
    return { first: null, problem: problem instanceof Error ? problem.message : String(problem) };
  }
}

function lessonNamed(name: string): Begun {
  const lesson = LESSONS.find((lesson) => lesson.name === name);
  if (lesson) return { first: lesson, problem: null };
  const names = LESSONS.map((lesson) => lesson.name).join(', ');
  return { first: null, problem: `There is no lesson “${name.slice(0, 40)}”. There are: ${names}.` };
}

/** The part of a link behind the page's address, with its `#`. */
const hashOf = (lesson: Lesson) => `#lesson=${lesson.name}`;

/** A link to a lesson, in the whole page. */
export const linkTo = (lesson: Lesson) => `${location.origin}${location.pathname}${hashOf(lesson)}`;

/**
 * Follows links that are put into the address of a page that is open; and has the address say which lesson is taken, so
 * that the page begins with it when it is loaded anew.
 */
export function followAddress(session: Session): () => void {
  const follow = async () => {
    const { first, problem } = await fromAddress(location.hash);
    if (first !== null) session.begin(first);
    if (problem !== null) session.problem.value = problem;
  };
  addEventListener('hashchange', follow);
  let taken: Lesson | null = null;
  const end = effect(() => {
    const lesson = session.scripts.lesson.value;
    if (lesson) history.replaceState(null, '', hashOf(lesson));
    else if (taken && location.hash === hashOf(taken))
      history.replaceState(null, '', location.pathname + location.search);
    taken = lesson;
  });
  return () => {
    removeEventListener('hashchange', follow);
    end();
  };
}
