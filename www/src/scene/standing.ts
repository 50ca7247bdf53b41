// Who stands in for whom, read from who owns which slot: behind the owners of a slot that one away owns stand others.

import { type NodeView, nameOf, type Place, type Placement, SLOTS } from '../frame.ts';

/** Of each node that is away, those who stand in for it or are about to, the one with the most slots first. */
export type StandIns = ReadonlyMap<Place, readonly Place[]>;

/** `copies` is how many owners a slot has when nothing moves and nobody is away. */
export function standIns(nodes: readonly NodeView[], placement: Placement | null, copies: number): StandIns {
  const away = new Map<Place, Map<Place, number>>();
  for (const node of nodes) if (node.away !== 'no') away.set(node.id, new Map());
  if (!placement || away.size === 0 || placement.copies <= copies)
    return new Map([...away.keys()].map((id) => [id, []]));
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const row = placement.owners.subarray(slot * placement.copies, (slot + 1) * placement.copies);
    for (const owner of row.subarray(0, copies)) {
      const slots = away.get(owner);
      if (!slots) continue;
      for (const other of row.subarray(copies)) if (other >= 0) slots.set(other, (slots.get(other) ?? 0) + 1);
    }
  }
  return new Map([...away].map(([id, slots]) => [id, [...slots].sort((a, b) => b[1] - a[1]).map(([place]) => place)]));
}

/** `n3`, `n3 and n4`, `n3, n4 and 2 more`. */
export function listed(places: readonly Place[], most = 3): string {
  const names = places.slice(0, most).map(nameOf);
  const more = places.length - names.length;
  if (more > 0) return `${names.join(', ')} and ${more} more`;
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** What is the case with one that is away; nothing where it is not. */
export function awayWords(node: NodeView, others: readonly Place[]): string {
  const who = others.length > 0 ? listed(others) : 'others';
  const one = others.length === 1;
  switch (node.away) {
    case 'no':
      return '';
    case 'going':
      return `${who} ${one ? 'is' : 'are'} filled to stand in for ${nameOf(node.id)}`;
    case 'stood in for':
      return `${who} ${one ? 'stands' : 'stand'} in for ${nameOf(node.id)}`;
    case 'returning':
      return `${nameOf(node.id)} has its slots to itself again in a moment`;
  }
}

/** A sentence by itself; a node's name at its beginning stays as it is. */
export const sentence = (words: string): string =>
  `${/^n\d/.test(words) ? words.charAt(0) : words.charAt(0).toUpperCase()}${words.slice(1)}.`;
