import type { Lesson } from '../lesson.ts';

export const eviction: Lesson = {
  name: 'eviction',
  title: 'The eviction race',
  about: 'Who has to go when the memory is full, and how one report empties a cache.',
  promise: { name: 'P7', says: 'accounted bytes never exceed the limit by more than one entry' },
  claim: [
    `A full cache takes a new entry by letting an old one go. The best choice is the one that will be needed last,
      and nobody knows the future.`,
    `Recency is the usual guess (LRU): what was not used for longest goes. It is right surprisingly often, and there
      is one load that it always loses.`,
  ],
  question: `Two keys are read all day. A nightly report then writes four keys that nobody will ask for again, into four
      places. What is left of the two?`,
  choices: [
    {
      text: 'Both: they are used all the time',
      because: 'LRU does not count uses. It knows only when the last one was.',
    },
    { text: 'One of them', because: 'Each new key pushes out the one at the bottom, whichever that is.' },
    {
      text: 'Neither',
      right: true,
      because: 'Four keys that were used just now are more recent than two that were used a moment ago.',
    },
  ],
  watch: [
    'The store is drawn in its order: the last used on top, the next to go at the bottom.',
    'A read moves hot:1 to the top, and cold:1 goes in its place.',
    'The scan pushes everything down and out, a row for each key.',
  ],
  verdict: [
    `One pass over many keys flushes a cache that goes by recency. The cures look at more than the last use: how
      often (LFU), a small door in front that only what comes twice gets through (W-TinyLFU, S3-FIFO, SIEVE).`,
    `None of them wins on every trace, so measure yours: the race below takes a recorded trace, and shows each of them
      beside the best that anybody could do.`,
  ],
  read: ['docs/store.md', 'engine/src/store/'],
  mutant: null,
  race: true,
  turn: {
    say: 'Save a key from the scan: write it, then touch it between the keys of the scan.',
    lines: [
      'c1 set hot:1 a',
      'c2 set scan:5 .',
      'c1 get hot:1',
      'c2 set scan:6 .',
      'c2 set scan:7 .',
      'c1 get hot:1',
      'c2 set scan:8 .',
      'c9 get hot:1',
    ],
    done: /c9@n1 hot:1 -> hit a/,
    praise: 'It was used often enough to stay on top: what is hot enough survives any scan.',
  },
};
