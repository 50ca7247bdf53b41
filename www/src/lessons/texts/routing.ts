import type { Lesson } from '../lesson.ts';

export const routing: Lesson = {
  name: 'routing',
  title: 'Routing and the ring',
  about: 'Which node has a key, and why so little moves when a node goes or comes.',
  promise: { name: 'P2', says: 'an acknowledged write outlives the loss of all but one of its copies' },
  claim: [
    `A key belongs to one of 16,384 slots, by a hash of its name. Each slot belongs to a place on a ring, and the
      nodes stand on that ring at many points each. The next node clockwise answers for the slot; the ones after
      it keep copies.`,
    'Nobody is asked where a key is. Every node works it out, so a client may ask any of them.',
  ],
  question: 'Three nodes share the ring evenly, and one crashes. For how many keys does another node answer now?',
  choices: [
    {
      text: 'Nearly all: the hash is taken by another number of nodes',
      because: 'That is what “hash modulo nodes” does, and why a ring is used in its place.',
    },
    {
      text: 'About a third: those that the crashed node answered for',
      right: true,
      because: 'Only its own slots pass on, each to the node that already kept the next copy.',
    },
    {
      text: 'None: the crashed node keeps its slots until it is back',
      because: 'The map of members stays as it is, but who answers is decided by who is alive.',
    },
  ],
  watch: [
    'Asked at a node without a copy, the question takes one hop more, and comes back the same way.',
    'On the ring, only the arcs of n1 change their colour when it goes.',
    'n4 takes a little from everybody. The old owners answer until n4 has been filled.',
  ],
  verdict: [
    `A ring makes the answer to “who has this key?” nearly independent of how many nodes there are. One crash moves
      the duty of answering for one node’s slots, and no data at all.`,
    `When a node joins for good, it takes its fair share and nothing else moves. The hit ratio does not dip, because
      a slot changes hands only when its new owner has what is in it.`,
  ],
  read: ['docs/ring.md', 'docs/membership.md', 'engine/src/ring/'],
  mutant: {
    name: 'ModuloHash',
    breaks: 'Ring',
    says: `Slots are dealt out to the nodes that are alive, round and round. When n1 crashes, nearly every slot has
      another owner, which has never heard of its keys: the read of user:42 misses although n3 still has it.`,
  },
  turn: {
    say: 'Take a node out for good. Watch the slots move first and the node go last, then read the key.',
    lines: ['n3 leave', 'c9@n2 get user:42'],
    done: /c9@n\d user:42 -> hit ada/,
    praise: 'The key has outlived the node that answered for it: it moved before the node went.',
  },
};
