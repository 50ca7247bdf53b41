import type { Lesson } from '../lesson.ts';

export const tornLog: Lesson = {
  name: 'torn-log',
  title: 'The torn log',
  about: 'What a crash leaves of a file, and why a torn end is fine and a hole in the middle is not.',
  promise: { name: 'P1', says: 'a read returns only what some client wrote, whole' },
  claim: [
    `A crash in the middle of a write leaves a part of it. Of pages that were not synced, any may be on disk, also a
      later one without the one before it.`,
    `That is expected, so each record has its length and a checksum. A start reads until the first that is not
      whole, and cuts off the rest.`,
  ],
  question: `Long after, a bit flips in the middle of the log. The start finds a record that is not whole,
      with good ones
      behind it. What should it do?`,
  choices: [
    {
      text: 'Pass over the bad one, and read on',
      because:
        'The bad one may have been the deletion of what a good one stored. The state that comes of it was never there.',
    },
    {
      text: 'Cut the log off there, as a torn end',
      because: 'It would throw away what had been synced and acknowledged, without a word.',
    },
    {
      text: 'Refuse the log, and say where it is damaged',
      right: true,
      because: 'The other replicas have the data. A person, or the cluster, decides; nobody guesses.',
    },
  ],
  watch: [
    'fsync=everysec: the answers do not wait for the disk, and the line of what is synced moves once a second.',
    `After the crash: “read 4 records and cut off 20 bytes that were torn”. a and b are back; d was acknowledged,
      and is not.`,
    'After the rot: “found its log damaged, and begins with nothing”.',
  ],
  verdict: [
    `A torn end and a damaged middle look alike, a record with a wrong checksum. They are told apart by marks: each
      sync writes down how far the log was safe. Damage below that line cannot be a crash.`,
    `And d? With everysec a second of acknowledged writes is the price, on one node with one copy. Two copies, or
      fsync=always, is what buys it back.`,
  ],
  read: ['docs/log.md', 'engine/src/codec/wal/', 'engine/src/sim/disk.rs'],
  mutant: {
    name: 'SkipBadRecords',
    breaks: 'P1',
    says: 'A damaged record is passed over, and the ones behind it are read. The node serves a mixture that never was.',
  },
  turn: {
    say: 'Let the disk say once that it has synced, when it has not. Then write, and cut the power.',
    lines: ['disk n1 lies', 'c8 set f 6', 'n1 crash', 'n1 restart', 'c9 get f'],
    done: /c9@n1 f -> /,
    praise: 'A disk that lies about fsync breaks every promise above it. Hence the copies on other machines.',
  },
};
