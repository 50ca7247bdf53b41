import type { Lesson } from '../lesson.ts';

export const stampede: Lesson = {
  name: 'stampede',
  title: 'Hot key, stampede, recovery',
  about: 'Everybody wants one page, its node dies, and nobody may read yesterday’s.',
  promise: { name: 'P5', says: 'for each key, what goes through the primary has one order, as real time had it' },
  claim: [
    `One key can be most of the load. A node that does not have it would pass on thousands of the same question; so
      it sends one, and lets everybody who comes meanwhile share an answer.`,
    `Sharing is where it goes wrong. An answer that was asked for before you came may be older than a write that
      ended before you came.`,
  ],
  question: `An answer with v1 is on its way. v2 is acknowledged. Then c2 begins to read. May c2 be given the
      answer that is
      on its way?`,
  choices: [
    {
      text: 'Yes: c2 asked for the same key while it was under way',
      because: 'Somebody was told “v2 is stored” before c2 began. c2 would read what had been replaced.',
    },
    {
      text: 'No: c2 has to wait for a question that is sent after it came',
      right: true,
      because: 'Who comes while one is under way shares the next one, which cannot be older than they are.',
    },
    {
      text: 'Yes, if it is less than a second old',
      because: 'It is a usual choice, and then “stored” means “some will see it soon”.',
    },
  ],
  watch: [
    'Eight readers, two questions to n2: the first goes for the one who came first, the second for all others.',
    'c1 began before v2 was written, and gets v1. c2 began after, and gets v2.',
    'n2 crashes: the readers wait for about a second, then n3 answers. Nobody is told an error.',
    'n2 is back with nothing, and has the page again before it answers.',
  ],
  verdict: [
    `At most one question for a key is under way from a node, whatever comes in, and nobody gets an answer that is
      older than their question. That is both: kind to the node with the hot key, and right.`,
    `Requests that were under way at the crash were repeated, with pauses that grow and differ. Retrying all at once
      is how a recovery becomes the next outage.`,
  ],
  read: ['engine/src/shard/flight.rs', 'docs/limits.md', 'docs/membership.md'],
  mutant: {
    name: 'JoinSentRead',
    breaks: 'P3',
    says: `A read shares the answer to a question that was sent before it began. c2 reads v1, after v2 was
      acknowledged.`,
  },
  turn: {
    say: 'Crash the node that answers for the page, and read it at another one before anybody suspects anything.',
    lines: ['n2 crash', 'c9@n1 get front'],
    done: /c9@n1 front -> hit v3/,
    praise: 'It took a moment, and it was right.',
  },
};
