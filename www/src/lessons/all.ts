// The ten lessons, in the order in which they build on each other.

import type { Lesson } from './lesson.ts';
import { clocks } from './texts/clocks.ts';
import { deleted } from './texts/deleted.ts';
import { eviction } from './texts/eviction.ts';
import { fsync } from './texts/fsync.ts';
import { routing } from './texts/routing.ts';
import { splitBrain } from './texts/split-brain.ts';
import { stampede } from './texts/stampede.ts';
import { tornLog } from './texts/torn-log.ts';
import { ttl } from './texts/ttl.ts';
import { versions } from './texts/versions.ts';

export const LESSONS: readonly Lesson[] = [
  routing,
  fsync,
  splitBrain,
  clocks,
  versions,
  deleted,
  ttl,
  tornLog,
  eviction,
  stampede,
];
