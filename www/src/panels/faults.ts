// What can be done to a cluster: of each fault its words, its key, and the line of a script that does it.

import { nameOf, type Place } from '../frame.ts';

export interface Fault {
  readonly says: string;
  /** Pressed while the node is chosen; null where there is no key for it. */
  readonly key: string | null;
  readonly line: string;
  /** It means something only while the node is so; null: at any time. */
  readonly when: 'up' | 'down' | null;
}

/** What a fault is about. */
export type FaultPart = 'node' | 'clock' | 'link' | 'disk' | 'all';

export interface Group {
  readonly part: FaultPart;
  readonly title: string;
  readonly faults: readonly Fault[];
}

const fault = (says: string, key: string | null, line: string, when: Fault['when'] = null): Fault => ({
  says,
  key,
  line,
  when,
});

/** Of a node, its link to another, its clock, its disk, and the network. */
export function faultsOf(node: Place, other: Place | null, disks: boolean): readonly Group[] {
  const n = nameOf(node);
  const groups: Group[] = [
    {
      part: 'node',
      title: 'Node',
      faults: [
        fault('Crash', 'c', `${n} crash`, 'up'),
        fault('Restart', 'r', `${n} restart`, 'down'),
        fault('Pause', 'p', `pause ${n}`, 'up'),
        fault('Resume', 'u', `resume ${n}`, 'up'),
        fault('Wipe its disk', 'w', `${n} wipe`),
        fault('Cut it off', 'i', `isolate ${n}`),
        fault('Drain', 'd', `${n} drain`),
        fault('Take out', 'e', `${n} leave`),
      ],
    },
    {
      part: 'clock',
      title: 'Clock',
      faults: [
        fault('A second ahead', 't', `${n} clock +1s`),
        fault('A second behind', 'b', `${n} clock -1s`),
        fault('Runs fast', null, `${n} drift +500ppm`),
      ],
    },
  ];
  if (other !== null) {
    const [there, back] = [`${n}>${nameOf(other)}`, `${nameOf(other)}>${n}`];
    groups.push({
      part: 'link',
      title: `Link to ${nameOf(other)}`,
      faults: [
        fault('Cut', 'x', `cut ${n} ${nameOf(other)}`),
        fault('Cut one way', null, `cut ${there}`),
        fault('Cut the other way', null, `cut ${back}`),
        fault('Hold up', 's', `clog ${n} ${nameOf(other)}`),
        fault('Hold up one way', null, `clog ${there}`),
        fault('Let go on', null, `unclog ${n} ${nameOf(other)}`),
        fault('Mend', null, `heal ${n} ${nameOf(other)}`),
      ],
    });
  }
  if (disks) {
    groups.push({
      part: 'disk',
      title: 'Disk',
      faults: [
        fault('Its syncs fail', 'y', `disk ${n} fails`),
        fault('It is full', null, `disk ${n} full`),
        fault('It is slow', null, `disk ${n} slow`),
        fault('It lies once', null, `disk ${n} lies`),
        fault('A bit changes', null, `disk ${n} rots`),
        fault('A block goes astray', null, `disk ${n} misdirects`),
        fault('It is mended', null, `disk ${n} heals`),
      ],
    });
  }
  groups.push({
    part: 'all',
    title: 'All',
    faults: [
      fault('Lose a fifth', 'm', 'network loss=20%'),
      fault('Repeat a fifth', 'o', 'network duplicate=20%'),
      fault('Slow links', null, 'network delay=10ms'),
      fault('Good network', 'g', 'network delay=900us loss=0% duplicate=0%'),
      fault('Mend all links', 'h', 'heal'),
      fault('Add a node', 'a', 'join'),
    ],
  });
  return groups;
}
