// The first line of a script, `cluster nodes=3 …`, as the settings that the page shows.

import { FSYNCS, type Settings } from '../worker/protocol.ts';

/** What the line does not say stays as it is. */
export function fromCluster(line: string, settings: Settings): Settings {
  const said = new Map(line.split(/\s+/).map((word) => word.split('=', 2) as [string, string]));
  const number = (name: string, otherwise: number) => {
    const found = Number(said.get(name));
    return Number.isInteger(found) && found > 0 ? found : otherwise;
  };
  return {
    ...settings,
    seed: said.get('seed') ?? settings.seed,
    nodes: number('nodes', settings.nodes),
    replicas: number('replicas', settings.replicas),
    capacity: number('entries', settings.capacity),
    virtualNodes: number('vnodes', settings.virtualNodes),
    // Those of a script stand in its lines.
    writeLevel: 'live',
    readLevel: 'primary',
    lossPerMille: 0,
    fsync: FSYNCS.find((fsync) => fsync === said.get('fsync')) ?? 'off',
  };
}
