import type { Lesson } from '../lesson.ts';

export const clocks: Lesson = {
  name: 'clocks',
  title: 'Clocks, and the last writer',
  about: '“Last writer wins” needs to know what last means, and clocks do not.',
  promise: { name: 'P5', says: 'for each key, what goes through the primary has one order, as real time had it' },
  claim: [
    `Of two values the later one should win, so every value has a version, and versions are compared. The obvious
      version is the time of day.`,
    `But no two machines have the same time of day. A clock that is five seconds slow makes every write of its node
      older than everybody else’s of the last five seconds.`,
  ],
  question: `n3 is five seconds slow and in charge of k. A client writes two over one, which another node
      had stamped. What
      is kept?`,
  choices: [
    {
      text: 'one: its time of day is later',
      because: 'That is the bug which this lesson is about. The client would be told “stored”, and read the old value.',
    },
    {
      text: 'two: it was written later',
      right: true,
      because: 'A version counts up from the highest that its node has seen, and the clock only pushes it forward.',
    },
    {
      text: 'Both, until somebody chooses',
      because: 'Keeping both is possible (it is called siblings), but a cache has one value for a key.',
    },
  ],
  watch: [
    'n3’s clock is marked in the log: −5,000 ms.',
    'While n3 is down, n1 takes the write with a clock that is right.',
    'The version of two, in the panel of the key: its time is that of one, and its counter is one higher.',
  ],
  verdict: [
    `A hybrid logical clock is 48 bits of milliseconds and 16 bits of counter. It never goes back, and it never
      gives a version below one that it has seen, so “later” means “could have known of it”.`,
    `Time of day is still in it, because it is what makes versions of nodes that have not spoken to each other
      comparable at all. It decides only between writes that did not know of each other.`,
  ],
  read: ['docs/replication.md', 'engine/src/clock.rs', 'docs/limits.md'],
  mutant: {
    name: 'TrustClock',
    breaks: null,
    says: `The time of day alone makes versions. n3’s write is refused by its own replicas, again and again, until
      the client is told that the outcome is unknown; everybody still reads one.`,
  },
  turn: {
    say: 'Make it worse: set n3’s clock a minute back, and write through it.',
    lines: ['n3 clock -60s', 'c9@n3 set k three', 'c9@n1 get k'],
    done: /c9@n1 k -> hit three/,
    praise: 'A minute wrong, and the order still holds.',
  },
};
