import type { Lesson } from '../lesson.ts';

export const deleted: Lesson = {
  name: 'deleted',
  title: 'The deleted value returns',
  about: 'A delete is something that one has to remember, or it undoes itself.',
  promise: { name: 'P3', says: 'a deleted, expired or overwritten value does not come back' },
  claim: [
    `Deleting is forgetting, on one machine. On three it is news: who has not heard of it still has the value, and
      will offer it to the others when it is back.`,
    `Those then have to tell “you have something that I have missed” from “you have something that I have deleted”.
      Both look alike: one has it, the other has not.`,
  ],
  question: 'n3 was unplugged while a session was deleted. It comes back with the session. What do clients read?',
  choices: [
    {
      text: 'The session: n3 has it, the others have nothing, something beats nothing',
      because: 'That is how a user who logged out is logged in again.',
    },
    {
      text: 'A miss: n3 asks first, hears of the deletion, and drops what it has',
      right: true,
      because: 'The others remembered the deletion for as long as somebody was away who had to hear of it.',
    },
    {
      text: 'A miss, since n3 drops everything when it comes back',
      because: 'It would be safe and slow: every key of that node would have to be fetched again.',
    },
  ],
  watch: [
    'While n3 is away, it still has the session, and nobody can reach it there.',
    'After the heal n3 asks both others, slot by slot, before it answers for anything.',
    'It says “dropped session: nobody vouches for it”, or takes the deletion over.',
  ],
  verdict: [
    `What is remembered of a deletion is a tombstone: the key’s slot, and the version of the deletion. It is kept
      until every replica has reconciled, and not a moment longer.`,
    `Keeping it by time (“ten days”) is the usual shortcut. A machine that is away for eleven then brings everything
      back.`,
  ],
  read: ['docs/replication.md', 'engine/src/shard/floors.rs', 'tests/scripts/back-from-isolation.script'],
  mutant: {
    name: 'CollectTombstones',
    breaks: 'P3',
    says: 'A deletion is forgotten at once, though a replica is away. n3 comes back, has the session, and serves it.',
  },
  turn: {
    say: `Do it with an overwritten value: unplug n2, overwrite, plug it in, and read there. Let two seconds pass
      before you heal.`,
    lines: ['c8@n1 set theme dark', 'isolate n2', 'c8@n1 set theme light', 'heal', 'c9@n2 get theme'],
    done: /c9@n2 theme -> (hit light|miss)/,
    praise: 'Not dark: n2 asked before it answered.',
  },
};
