import { describe, expect, it } from 'vitest';
import { CLIENTS, type Flight, type MessageKind } from '../src/frame.ts';
import { GATHERED, gather, isCounted, MANY, tally, touches } from '../src/scene/crowd.ts';

let id = 0;
/** A message that was sent at 0 and takes 100. */
function flight(from: number, to: number, kind: MessageKind, sentAt = 0): Flight {
  id += 1;
  return { id, from, to, kind, slot: 1, sentAt, arrivesAt: sentAt + 100, label: '' };
}

describe('many messages', () => {
  it('of one kind on one part of one lane are one', () => {
    const together = [flight(CLIENTS, 1, 'request', 0), flight(CLIENTS, 1, 'request', 8)];
    const apart = [
      flight(1, CLIENTS, 'reply', 0),
      flight(CLIENTS, 2, 'request', 0),
      flight(CLIENTS, 1, 'reply', 0),
      flight(CLIENTS, 1, 'request', -50),
    ];
    const groups = gather([...together, ...apart], 10, () => false);
    expect(groups.map(({ count }) => count).sort()).toEqual([1, 1, 1, 1, 2]);
    expect(groups.find(({ count }) => count === 2)?.t).toBeCloseTo(0.06);
  });

  it('and none of them is lost, from the first moment of their way to the last', () => {
    const all = Array.from({ length: 1_000 }, (_, n) => flight(n % 8 || CLIENTS, (n * 3) % 8, 'replicate', -n / 10));
    const groups = gather(all, 0, (message) => touches(message, 5));
    expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(1_000);
    expect(groups.filter(({ flight }) => touches(flight, 5)).every(({ count }) => count === 1)).toBe(true);
    expect(groups.length).toBeLessThan(1_000);
  });

  it('are gathered into fewer where there are very many, and only the larger groups say their number', () => {
    const lane = (many: number) => Array.from({ length: many }, (_, n) => flight(CLIENTS, 1, 'request', -(n % 100)));
    const groups = (many: number) => gather(lane(many), 0, () => false).map(({ count }) => count);
    expect(groups(MANY).length).toBe(5);
    expect(groups(MANY + 100)).toEqual([550, 550]);
    expect([4, 5, 19].map((count) => isCounted(count, 300))).toEqual([false, true, true]);
    expect([19, 20].map((count) => isCounted(count, 2_000))).toEqual([false, true]);
  });

  it('are counted by kind, the most first, where they cannot be told apart', () => {
    const kinds: MessageKind[] = ['request', 'replicate', 'replicate', 'ping', 'pong', 'gossip', 'gossip', 'gossip'];
    const flights = kinds.map((kind) => flight(1, 2, kind));
    expect(tally(flights, GATHERED)).toBe('');
    expect(tally(flights, 1_024)).toBe('1 024 messages under way: 3 gossip, 2 replicate, 1 request');
  });
});
