import { expect, it } from 'vitest';
import { SLOTS } from '../src/frame.ts';
import { awayWords, listed, sentence, standIns } from '../src/scene/standing.ts';
import { node, placement } from './fixtures.ts';

/** Two copies of each slot by n1 to n4; behind those of n2 stand n4 for a quarter of them, and n3 for the others. */
function stoodIn() {
  const plain = placement(4, 2);
  const owners = new Int16Array(SLOTS * 3).fill(-1);
  for (let slot = 0, stood = 0; slot < SLOTS; slot += 1) {
    const row = plain.owners.subarray(slot * 2, slot * 2 + 2);
    owners.set(row, slot * 3);
    if (!row.includes(2)) continue;
    owners[slot * 3 + 2] = stood % 4 === 0 ? 4 : 3;
    stood += 1;
  }
  return { ...plain, copies: 3, owners };
}

it('finds who stands in for a member that is away, the one with the most slots first', () => {
  const nodes = [node(1), node(2, { up: false, away: 'stood in for' }), node(3), node(4)];
  expect([...standIns(nodes, stoodIn(), 2)]).toEqual([[2, [3, 4]]]);
  expect([...standIns(nodes, placement(4, 2), 2)]).toEqual([[2, []]]);
  expect(standIns([node(1), node(2)], stoodIn(), 2).size).toBe(0);
  expect(standIns(nodes, null, 2).get(2)).toEqual([]);
});

it('says it in words', () => {
  const away = node(2, { away: 'stood in for' });
  expect(awayWords(away, [3])).toBe('n3 stands in for n2');
  expect(awayWords(away, [3, 4])).toBe('n3 and n4 stand in for n2');
  expect(awayWords(away, [])).toBe('others stand in for n2');
  expect(awayWords(node(2, { away: 'going' }), [3, 4])).toBe('n3 and n4 are filled to stand in for n2');
  expect(awayWords(node(2), [])).toBe('');
  expect(listed([1, 2, 3])).toBe('n1, n2 and n3');
  expect(listed([1, 2, 3, 4, 5])).toBe('n1, n2, n3 and 2 more');
  expect(sentence('stands in for n2')).toBe('Stands in for n2.');
  expect(sentence('n3 stands in for n2')).toBe('n3 stands in for n2.');
});
