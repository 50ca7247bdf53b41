import type { Lesson } from '../lesson.ts';

export const splitBrain: Lesson = {
  name: 'split-brain',
  title: 'Split brain',
  about: 'Both sides of a cut take writes. What the cluster has afterwards, and what you can ask for instead.',
  promise: { name: 'P4', says: 'replicas that have reconciled hold the same version, or nothing' },
  claim: [
    `When a link breaks, both sides see the same thing: the others have stopped answering. Neither can tell whether
      they are dead or merely out of reach.`,
    `A cache has to choose. It can refuse to serve where it has no majority, or go on and make up afterwards.
      Vitrine goes on by default, and lets each write ask for more.`,
  ],
  question: 'Both sides wrote to the same key. The cut is mended. What does a client read?',
  choices: [
    {
      text: 'It depends on which node is asked',
      because: 'That is the split brain that nobody wants: two truths, for as long as nobody writes the key again.',
    },
    {
      text: 'The later of the two writes, at every node',
      right: true,
      because: 'Versions are compared, the higher one wins everywhere, and the other write is gone.',
    },
    {
      text: 'A miss: the nodes cannot agree and drop the key',
      because: 'They can agree: every version has one order.',
    },
  ],
  watch: [
    'For more than a second nobody believes the others dead: a short stutter must not change who answers.',
    'n3 alone says “1 copy”. The client was told how safe its write is.',
    'With write=quorum the lonely side refuses, and nothing is stored.',
    'After the heal n3 says “was given up, and is back”, and asks before it answers.',
  ],
  verdict: [
    `The write on the lonely side lost: it had been acknowledged with one copy, and was replaced by a later write to
      the same key. For a cache that is the right trade, since the source of truth is elsewhere.`,
    'Where it is not, ask for it: write=quorum is acknowledged on one side of a cut at most.',
  ],
  read: ['docs/replication.md', 'docs/membership.md', 'tests/scripts/both-sides-wrote.script'],
  mutant: {
    name: 'SkipReconciliation',
    breaks: 'P3',
    says: `A node that was away never asks what it has missed. After the heal n3 goes on serving 1-pen, for as long
      as nobody writes the key.`,
  },
  turn: {
    say: 'Cut one link only, both ways, and write. Nobody is suspected: the two speak through the third.',
    lines: ['cut n1 n3', 'c9@n1 set cart 4-books'],
    done: /c9@n1 cart -> stored, 3 copies/,
    praise: 'Three copies, over a broken link: a partial partition is no partition.',
  },
};
