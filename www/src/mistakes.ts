// The mistakes that a person can put back, in plain words. The engine's names are those of `engine/src/mutant.rs`.

export interface Mistake {
  /** The engine's name. */
  readonly name: string;
  readonly title: string;
  readonly says: string;
  /** The promise that it breaks first in its demonstration. */
  readonly breaks: string;
}

/** Those with a demonstration first: a script of `demos`, which fails with the mistake and is clean without it. */
export const MISTAKES: readonly Mistake[] = [
  {
    name: 'AcknowledgeUnsynced',
    title: 'Acknowledge before fsync',
    says: 'A write is acknowledged before the log that it is in has been synced.',
    breaks: 'P2',
  },
  {
    name: 'ReuseVersions',
    title: 'No incarnation after a restart',
    says: 'Versions are counted in memory only: a node that restarts gives the same ones again.',
    breaks: 'P4',
  },
  {
    name: 'CollectTombstones',
    title: 'Collect tombstones early',
    says: 'What was deleted is forgotten at once, though a replica may be away that still has it.',
    breaks: 'P3',
  },
  {
    name: 'RelativeTtl',
    title: 'A relative TTL on replay',
    says: 'An entry read from the log lives on for as long as it had to live when it was written.',
    breaks: 'P6',
  },
  {
    name: 'ModuloHash',
    title: 'Modulo instead of a ring',
    says: 'Slots are dealt out to whoever is alive, round and round: one that goes moves nearly all of them.',
    breaks: 'Ring',
  },
  {
    name: 'SkipReconciliation',
    title: 'No repair',
    says: 'A node that was away never asks what it missed.',
    breaks: 'P3',
  },
];

/** Those for which "find me a failure" is the demonstration. */
export const MORE: readonly Omit<Mistake, 'breaks'>[] = [
  { name: 'AcknowledgeEarly', title: 'Acknowledge early', says: 'A live write is acknowledged by the primary alone.' },
  { name: 'ForgetFloors', title: 'Forget removals', says: 'A late message may bring back what was removed.' },
  { name: 'TrustClock', title: 'Trust the clock', says: 'The wall clock alone makes versions.' },
  { name: 'ServeOutOfSync', title: 'Serve out of sync', says: 'A node answers before it has asked what it missed.' },
  {
    name: 'JoinSentRead',
    title: 'Share a read',
    says: 'A read takes the answer of one that was sent before it began.',
  },
  { name: 'CountTwice', title: 'Count twice', says: 'An increment that is repeated is carried out again.' },
  { name: 'DropWhileMoving', title: 'Drop while moving', says: 'Old owners free what new ones do not have yet.' },
  { name: 'IgnoreEpoch', title: 'Ignore epochs', says: 'Messages are taken whatever map they were sent by.' },
  { name: 'ApplyBeforeLog', title: 'Apply before the log', says: 'An answer waits for the log as it was before.' },
  { name: 'ServeOrphans', title: 'Serve orphans', says: 'Who comes back alone serves what nobody can vouch for.' },
  {
    name: 'StayInDoubt',
    title: 'Stay in doubt',
    says: 'Of two pulls at once, the one that ends first clears no doubt.',
  },
  { name: 'DeleteUnsynced', title: 'Delete unsynced', says: 'A deletion is acknowledged before it is on disk.' },
  { name: 'DropLogEarly', title: 'Drop the log early', says: 'The log goes before its snapshot is on disk.' },
  { name: 'CountOneMore', title: 'Count one more', says: 'A deletion says one copy more than know of it.' },
  {
    name: 'DigestKeysOnly',
    title: 'Digest keys only',
    says: 'Two slots with the same keys pass for the same, whatever their versions are.',
  },
  { name: 'Miss', title: 'Miss', says: 'Now and then a read finds nothing, whatever is there.' },
  { name: 'LoseUnseen', title: 'Lose unseen', says: 'Now and then an entry that is read is gone, and nothing tells.' },
  { name: 'SkipBadRecords', title: 'Skip damage', says: 'A damaged record is passed over, and those behind it read.' },
  { name: 'NoDirectorySync', title: 'No folder sync', says: 'After a crash a segment of the log may not be there.' },
];

const scripts = import.meta.glob<string>('./demos/*.script', { query: '?raw', import: 'default', eager: true });

/** In plain words, where it has them. */
export const titleOf = (name: string): string =>
  [...MISTAKES, ...MORE].find((mistake) => mistake.name === name)?.title ?? name;

/** The script that shows a mistake. */
export const demo = (name: string): string | undefined => scripts[`./demos/${name}.script`];
