import type { Lesson } from '../lesson.ts';

export const ttl: Lesson = {
  name: 'ttl',
  title: 'TTL through a crash',
  about: 'Three seconds to live: through a snapshot, a log, and half a second without power.',
  promise: { name: 'P6', says: 'a value is never served later than its deadline plus the allowed clock skew' },
  claim: [
    `A time to live is a span: three seconds from now. But “now” is gone as soon as it is written down. In a log or
      a snapshot that is read tomorrow, three seconds from when?`,
    `So the span is turned into a deadline, a moment on the calendar, by the first node that sees it. From there on
      the moment travels: to the replicas, to the log, to the snapshot.`,
  ],
  question: 'The token has three seconds. At two the power goes, for half a second. When is it gone?',
  choices: [
    {
      text: 'Three seconds after it was written',
      right: true,
      because: 'The deadline is a moment, and moments pass also while the power is off.',
    },
    {
      text: 'Three seconds after the restart',
      because: 'That is what comes of writing the span down: a token that is restarted often enough lives for ever.',
    },
    {
      text: 'At the crash: what expires is not worth a place in the log',
      because: 'It would be legal, a cache may forget. But then every restart empties a cache of sessions.',
    },
  ],
  watch: [
    'n1 takes a snapshot, and its log begins after it: what n1 reads later is the snapshot, and n2 its log.',
    'After the restart both have the token, with what is left of its time: half a second.',
    'The next read, half a second later, misses on both nodes.',
  ],
  verdict: [
    `The log has a deadline in it and no span, and so has a snapshot. Reading it late cannot make anything live
      longer.`,
    `It trusts calendars of different machines to agree within a bound, the clock skew. That bound is part of the
      promise, and a setting.`,
  ],
  read: ['docs/log.md', 'docs/snapshots.md', 'engine/src/shard/journal.rs'],
  mutant: {
    name: 'RelativeTtl',
    breaks: 'P6',
    says: `An entry that is read back lives on from there for as long as it had when it was written. The token is
      served after its deadline.`,
  },
  turn: {
    say: 'Write a token that lives for 300 ms, crash and start both nodes in the meantime, and read it after its end.',
    lines: ['c8 set token2 t ttl=300ms', 'n1 crash', 'n2 crash', 'n1 restart', 'n2 restart', 'c9 get token2'],
    done: /c9@n\d token2 -> miss/,
    praise: 'Gone on time, power or no power.',
  },
};
