import { expect, it } from 'vitest';
import { faultsOf } from '../src/panels/faults.ts';

it('names every fault once, with a line that names the node and keys that differ', () => {
  const groups = faultsOf(2, 3, true);
  expect(new Set(groups.map((group) => group.part)).size).toBe(groups.length);
  expect(groups.map((group) => group.title)).toEqual(['Node', 'Clock', 'Link to n3', 'Disk', 'All']);
  const faults = groups.flatMap((group) => group.faults);
  expect(new Set(faults.map((fault) => fault.line)).size).toBe(faults.length);
  const keys = faults.flatMap((fault) => (fault.key === null ? [] : [fault.key]));
  expect(new Set(keys).size).toBe(keys.length);
  for (const fault of groups.slice(0, -1).flatMap((group) => group.faults)) expect(fault.line).toContain('n2');
  expect(faultsOf(1, null, false).map((group) => group.title)).toEqual(['Node', 'Clock', 'All']);
});
