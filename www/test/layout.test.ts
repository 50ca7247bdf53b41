import { describe, expect, it } from 'vitest';
import { CLIENTS, SLOTS } from '../src/frame.ts';
import * as layout from '../src/scene/layout.ts';
import { DASHES, hueIndex, patternIndex } from '../src/scene/palette.ts';
import { placement } from './fixtures.ts';

const ids = (many: number) => Array.from({ length: many }, (_, i) => i + 1);

describe('discs', () => {
  it.each([1, 2, 3, 5, 8, 16, 32])('%i nodes stand apart, inside the ring, and off the clients', (many) => {
    const discs = layout.discs(ids(many));
    expect(discs.size).toBe(many + 1);
    const all = [...discs.values()];
    for (const [i, a] of all.entries()) {
      const fromCentre = Math.hypot(a.x - layout.CENTRE, a.y - layout.CENTRE);
      expect(fromCentre + a.radius).toBeLessThan(layout.RING - 24);
      for (const b of all.slice(i + 1)) {
        expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(a.radius + b.radius);
      }
    }
  });
});

it('a disc shows a name whole where it has room for it, and else its beginning', () => {
  for (const many of [1, 6, 12, 32]) {
    const radius = layout.discs(ids(many)).get(many)?.radius ?? 0;
    const size = radius > 24 ? 17 : Math.max(8, radius * 0.75);
    expect(layout.fitted(`n${many}`, radius, size), `${many} nodes`).toBe(`n${many}`);
  }
  const name = 'machine-in-the-back-of-the-second-hall-7';
  expect(layout.fitted(name, 34, 17)).toBe('machi…');
  expect(layout.fitted(name, 11, 8.25)).toBe('ma…');
});

describe('lanes', () => {
  it.each([2, 3, 4, 8, 32])('of %i nodes start and end at the discs and keep off the clients', (many) => {
    const discs = layout.discs(ids(many));
    const clients = discs.get(CLIENTS) as layout.Disc;
    for (const from of ids(many)) {
      for (const to of ids(many).filter((n) => n !== from)) {
        const [a, b] = [discs.get(from) as layout.Disc, discs.get(to) as layout.Disc];
        const lane = layout.lane(a, b);
        const [start, end] = [layout.along(lane, 0), layout.along(lane, 1)];
        expect(Math.hypot(start.x - a.x, start.y - a.y)).toBeCloseTo(a.radius + 3);
        expect(Math.hypot(end.x - b.x, end.y - b.y)).toBeCloseTo(b.radius + 3);
        const middle = layout.along(lane, 0.5);
        expect(Math.hypot(middle.x - clients.x, middle.y - clients.y)).toBeGreaterThan(clients.radius);
      }
    }
  });

  it('keep the two directions apart', () => {
    const discs = layout.discs(ids(3));
    const [a, b] = [discs.get(1) as layout.Disc, discs.get(2) as layout.Disc];
    const [there, back] = [layout.along(layout.lane(a, b), 0.5), layout.along(layout.lane(b, a), 0.5)];
    expect(Math.hypot(there.x - back.x, there.y - back.y)).toBeGreaterThan(15);
  });
});

describe('progress', () => {
  it.each([
    [100, 200, 50, 0],
    [100, 200, 100, 0],
    [100, 200, 150, 0.5],
    [100, 200, 300, 1],
    [100, 100, 100, 1],
  ])('sent %i, arrives %i, at %i: %d', (sent, arrives, now, expected) => {
    expect(layout.progress(sent, arrives, now)).toBe(expected);
  });
});

describe('bands', () => {
  it('have one path for each owner, and as many arcs as there are stretches', () => {
    const bands = layout.bands(placement(3, 2, 90));
    expect(bands.map((b) => b.copy)).toEqual([0, 1]);
    for (const band of bands) {
      expect([...band.arcs.keys()].sort()).toEqual([1, 2, 3]);
      const arcs = [...band.arcs.values()].join('').match(/A/g);
      expect(arcs).toHaveLength(90);
    }
  });

  it('draw one owner of everything as a whole circle', () => {
    const [band] = layout.bands(placement(1, 1, 1));
    expect(band?.arcs.get(1)?.match(/A/g)).toHaveLength(2);
  });

  it('show who acts when the preferred primary does not', () => {
    const { copies, owners, primaries } = placement(3, 2, 3);
    const acting = primaries.map((primary, slot) => (primary === 1 ? (owners[slot * copies + 1] ?? -1) : primary));
    const [outer, inner] = layout.bands({ copies, owners, primaries: acting });
    expect(outer?.arcs.has(1)).toBe(false);
    expect(inner?.arcs.has(1)).toBe(true);
  });

  it('show slots that nobody answers for', () => {
    const { copies, owners, primaries } = placement(2, 1, 2);
    const [band] = layout.bands({ copies, owners, primaries: primaries.map((p) => (p === 1 ? -1 : p)) });
    expect([...(band?.arcs.keys() ?? [])].sort()).toEqual([-1, 2]);
  });

  it('have a further one for slots on their way, with nothing where none is', () => {
    const { owners, primaries } = placement(3, 2, 3);
    const wide = new Int16Array(SLOTS * 3).fill(-1);
    for (let slot = 0; slot < SLOTS; slot += 1) wide.set(owners.subarray(slot * 2, slot * 2 + 2), slot * 3);
    wide[2] = 4;
    const bands = layout.bands({ copies: 3, owners: wide, primaries });
    expect(bands.map((band) => [...band.arcs.keys()].sort())).toEqual([[1, 2, 3], [1, 2, 3], [4]]);
    expect(bands[2]?.arcs.get(4)?.match(/A/g)).toHaveLength(1);
  });

  it('put slot 0 at the top, and go clockwise', () => {
    expect(layout.slotAngle(0)).toBeCloseTo(-Math.PI / 2);
    expect(layout.slotAngle(SLOTS / 4)).toBeCloseTo(0);
  });
});

it('tells 32 owners apart by hue and dashes', () => {
  const looks = ids(32).map((id) => `${hueIndex(id)} ${DASHES[patternIndex(id)]}`);
  expect(new Set(looks).size).toBe(32);
});
