import type { Lesson } from '../lesson.ts';

export const versions: Lesson = {
  name: 'versions',
  title: 'A restart reuses a version',
  about: 'What a node must not forget when it loses its memory, and how it gets by without it.',
  promise: { name: 'P4', says: 'a version has one value, on every replica' },
  claim: [
    `Replicas do not compare values, they compare versions: the same version means the same value. It saves sending
      anything that both already have.`,
    `All of that rests on one thing. A version must never be given twice, also not by a node that has crashed and
      remembers nothing of what it gave before.`,
  ],
  question:
    'n3 gave version 1 to one, and crashed. It starts with an empty memory and counts from the start. What happens?',
  choices: [
    {
      text: 'two gets version 1 as well, and both replicas believe they agree',
      because: 'It would be so if versions were counted in memory only. That is the mistake below.',
    },
    {
      text: 'two gets a version above any that its earlier self can have given',
      right: true,
      because:
        'It begins at its clock plus the most that clocks may differ: its earlier self cannot have been ahead of that.',
    },
    {
      text: 'The other replica notices, and refuses two',
      because: 'It cannot: it is out of reach when two is written.',
    },
  ],
  watch: [
    'n2 is unplugged with version one of k.',
    'n3 starts with nothing, finds a majority, and takes a write without n2.',
    'After the heal the two compare versions. Compare them in the panel of the key before and after.',
  ],
  verdict: [
    `Nobody would ever have noticed: both replicas say that they hold the same version, so neither asks the other
      for anything. Clients get one value or the other, by whom they ask.`,
    'The cure costs nothing: time passes anyway, and a start takes longer than clocks may differ.',
  ],
  read: ['engine/src/clock.rs', 'docs/limits.md', 'docs/replication.md'],
  mutant: {
    name: 'ReuseVersions',
    breaks: 'P4',
    says: `Versions are counted in memory only. The restarted n3 gives two the version of one; after the heal both
      are “in sync”, with different values.`,
  },
  turn: {
    say: 'Set n3’s clock back by two seconds, restart it, and write again: the hardest case for a clock.',
    lines: ['n3 crash', 'n3 clock -2s', 'n3 restart', 'c9@n3 set k three', 'c9@n2 get k read=one'],
    done: /c9@n2 k -> hit three/,
    praise: 'It asked what the others hold first, and went on above that.',
  },
};
