import type { Lesson } from '../lesson.ts';

export const fsync: Lesson = {
  name: 'fsync',
  title: 'An acknowledgement means fsync',
  about: 'What “stored” may be said about, when the power of the whole room goes.',
  promise: { name: 'P2', says: 'with fsync=always, an acknowledged write outlives the crash of all nodes at once' },
  claim: [
    `Copies on other nodes outlive the crash of one machine. They do not outlive the loss of power in all of them:
      memory is gone everywhere at the same moment.`,
    `A log on disk does, but only the part that has been synced. What was written and not synced is in the memory of
      the operating system, and goes with it.`,
  ],
  question: 'A write has reached both logs, and neither disk has synced it. May the client be told “stored, 2 copies”?',
  choices: [
    {
      text: 'Yes: two machines have it',
      because: 'Two machines have it in memory. One switch for both, and nobody has it.',
    },
    {
      text: 'Only once both disks say that it is synced',
      right: true,
      because: 'An answer counts copies, so each of them has to be one that the crash leaves.',
    },
    {
      text: 'Once one of the two disks has synced it',
      because: 'Then one copy may be counted, and the answer would say two.',
    },
  ],
  watch: [
    'Between “stored as primary” and the answer some milliseconds pass: that is the disk.',
    'Each node’s log has a line up to which it is synced. Only what is below it is there after the crash.',
    'The last write: the client is told that the connection broke, and not that the write failed.',
  ],
  verdict: [
    `The answer waits for the slowest of the disks that it counts. One sync carries every write that has come in the
      meantime, so under load the price is a delay and not a rate.`,
    `A write that was never acknowledged may be there or not. “Unknown” is the honest answer, and a client that
      needs to know reads the key again.`,
  ],
  read: ['docs/log.md', 'docs/replication.md', 'engine/src/shard/journal.rs', 'engine/src/sim/disk.rs'],
  mutant: {
    name: 'AcknowledgeUnsynced',
    breaks: 'P2',
    says: `What was written down is acknowledged before it is on disk. The answer comes sooner, and says 2 copies
      where a crash would leave 0.`,
  },
  turn: {
    say: 'Cut the power again, right after a write was acknowledged: crash all three, start them, and read.',
    lines: [
      'c5 set receipt 17',
      'n1 crash',
      'n2 crash',
      'n3 crash',
      'n1 restart',
      'n2 restart',
      'n3 restart',
      'c6 get receipt',
    ],
    done: /c6@n\d receipt -> hit 17/,
    praise: 'It was acknowledged, so it was on the disks, so it is there.',
  },
};
