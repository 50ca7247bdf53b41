// The shapes of messages: one for each kind, so that none is told by colour alone.

import type { MessageKind } from '../frame.ts';

export interface Glyph {
  /** An SVG path around the origin, 12 units wide, pointing to the right where it has a direction. */
  readonly path: string;
  readonly hollow: boolean;
  readonly scale: number;
  readonly says: string;
}

const CIRCLE = 'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z';
const DIAMOND = 'M0 -6L6 0L0 6L-6 0Z';
const ARROW = 'M-5 -5.5L6.5 0L-5 5.5Z';
const SQUARE = 'M-4.5 -4.5H4.5V4.5H-4.5Z';
const TRIANGLE = 'M0 -5.5L5.5 4.5H-5.5Z';
const SMALL = 'M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z';

export const GLYPHS: Readonly<Record<MessageKind, Glyph>> = {
  request: { path: CIRCLE, hollow: false, scale: 1.15, says: 'a client asks a node' },
  reply: { path: CIRCLE, hollow: true, scale: 1.15, says: 'the client is answered' },
  forward: { path: ARROW, hollow: false, scale: 1.15, says: 'passed on to the primary' },
  answer: { path: ARROW, hollow: true, scale: 1.15, says: 'the primary answers' },
  replicate: { path: DIAMOND, hollow: false, scale: 1.15, says: 'a write goes to a replica' },
  replicated: { path: DIAMOND, hollow: true, scale: 1.15, says: 'the replica has it' },
  fetch: { path: SQUARE, hollow: false, scale: 1, says: 'a replica is asked for its copy' },
  fetched: { path: SQUARE, hollow: true, scale: 1, says: 'the replica sends it' },
  sync: { path: TRIANGLE, hollow: false, scale: 1, says: 'what did I miss?' },
  listed: { path: TRIANGLE, hollow: true, scale: 1, says: 'what there is to catch up on' },
  ping: { path: SMALL, hollow: false, scale: 0.9, says: 'are you there?' },
  pong: { path: SMALL, hollow: true, scale: 0.9, says: 'I am' },
  gossip: { path: SMALL, hollow: true, scale: 0.7, says: 'who is alive, as far as I know' },
};
