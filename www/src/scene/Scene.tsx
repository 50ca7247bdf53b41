// The cluster as a picture: ring, nodes, links and clients in SVG, where everything can be focused; messages above it.

import { useComputed } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { CLIENTS, type NodeView, nameOf, type Place, SLOTS } from '../frame.ts';
import { useSession } from '../state/context.ts';
import { count } from '../state/format.ts';
import { Flights } from './Flights.tsx';
import { Legend } from './Legend.tsx';
import * as layout from './layout.ts';
import { DASHES, hue, patternIndex } from './palette.ts';
import { awayWords, listed, sentence } from './standing.ts';

export function Scene() {
  const session = useSession();
  const snapshot = session.snapshot.value;
  const names = snapshot?.nodes.map((n) => n.id).join(' ') ?? '';
  const nodes = useMemo(() => (names ? names.split(' ').map(Number) : []), [names]);
  const discs = useMemo(() => layout.discs(nodes), [nodes]);
  return (
    <section class="scene" aria-label="The cluster">
      <div class="stage">
        <svg viewBox={`0 0 ${layout.SIZE} ${layout.SIZE}`} role="group" aria-label="Ring, nodes and links">
          <RingBands />
          <Route discs={discs} />
          <Links discs={discs} nodes={nodes} />
          <Clients disc={discs.get(CLIENTS)} />
          {snapshot?.nodes.map((node) => (
            <NodeDisc key={node.id} node={node} disc={discs.get(node.id)} />
          ))}
        </svg>
        <Flights discs={discs} />
        {!snapshot && <p class="starting">Starting the engine…</p>}
      </div>
      <Legend />
    </section>
  );
}

function RingBands() {
  const session = useSession();
  const placement = session.placement.value;
  const bands = useMemo(() => (placement ? layout.bands(placement) : []), [placement]);
  const lit = session.selectedNode.value;
  const settled = session.snapshot.value?.map.copies ?? 1;
  // Of so many owners nobody can follow each arc: the ring steps back, until a node is chosen.
  const crowded = lit === null && (session.snapshot.value?.nodes.length ?? 0) > layout.LINKS_UP_TO;
  const explained = session.explained.value;
  const away = [...session.standIns.value.keys()];
  return (
    <g
      class={crowded ? 'bands crowded' : 'bands'}
      role="img"
      aria-label={`The ring of ${count(SLOTS)} slots, coloured by who owns them${
        away.length > 0 ? `; in the innermost band, who stands in for ${listed(away)}` : ''
      }`}
    >
      {bands.map((band) => (
        <g key={band.copy}>
          <circle class="track" cx={layout.CENTRE} cy={layout.CENTRE} r={band.radius} stroke-width={band.width} />
          {[...band.arcs].map(([place, path]) => (
            <path
              key={place}
              d={path}
              stroke={hue(place)}
              stroke-width={band.width}
              stroke-dasharray={DASHES[patternIndex(place)]}
              class={lit !== null && lit !== place ? 'dim' : ''}
            >
              <title>
                {place < 0 ? 'nobody' : nameOf(place)}{' '}
                {band.copy === 0
                  ? 'answers for these slots'
                  : band.copy < settled
                    ? `keeps copy ${band.copy + 1}`
                    : away.length > 0
                      ? `stands in for ${listed(away)}`
                      : 'keeps one more copy while slots move'}
              </title>
            </path>
          ))}
        </g>
      ))}
      {explained && <SlotMark slot={explained.slot} />}
    </g>
  );
}

function SlotMark({ slot }: { slot: number }) {
  const angle = layout.slotAngle(slot);
  const outer = layout.polar(layout.RING + 14, angle);
  const inner = layout.polar(layout.RING - 34, angle);
  return (
    <g class="slot-mark">
      <line x1={inner.x} y1={inner.y} x2={outer.x} y2={outer.y} />
      <circle cx={inner.x} cy={inner.y} r={4} />
    </g>
  );
}

/** Where the chosen key lives: from its slot to its primary, and from there to the replicas. */
function Route({ discs }: { discs: ReadonlyMap<Place, layout.Disc> }) {
  const explained = useSession().explained.value;
  const primary = explained && discs.get(explained.primary ?? Number.NaN);
  if (!explained || !primary) return null;
  const start = layout.polar(layout.RING - 34, layout.slotAngle(explained.slot));
  return (
    <g class="route" aria-hidden="true">
      <path d={`M${start.x} ${start.y}L${primary.x} ${primary.y}`} />
      {explained.replicas
        .filter((replica) => replica.node !== explained.primary)
        .map((replica) => {
          const to = discs.get(replica.node);
          return to && <path key={replica.node} class="copy" d={layout.curve(layout.lane(primary, to))} />;
        })}
    </g>
  );
}

function Links({ discs, nodes }: { discs: ReadonlyMap<Place, layout.Disc>; nodes: readonly Place[] }) {
  const session = useSession();
  const cuts = useComputed(() => new Map(session.snapshot.value?.cuts.map((c) => [`${c.from}>${c.to}`, c]) ?? []));
  const clogs = useComputed(() => new Set(session.snapshot.value?.clogs.map((c) => `${c.from}>${c.to}`) ?? []));
  const few = nodes.length <= layout.LINKS_UP_TO;
  const selected = session.selectedNode.value;
  const drawn = nodes.flatMap((a, i) =>
    nodes.slice(i + 1).flatMap((b) => {
      const [ab, ba] = [cuts.value.has(`${a}>${b}`), cuts.value.has(`${b}>${a}`)];
      const slow = clogs.value.has(`${a}>${b}`) || clogs.value.has(`${b}>${a}`);
      const shown = few || ab || ba || slow || selected === a || selected === b;
      const [from, to] = [discs.get(a), discs.get(b)];
      return shown && from && to ? [{ a, b, ab, ba, slow, ...layout.link(from, to) }] : [];
    }),
  );
  return (
    <g class="links">
      {drawn.map(({ a, b, ab, ba, slow, path, middle }) => {
        const cut = ab || ba;
        const way =
          ab && ba ? 'cut' : ab ? `cut from ${nameOf(a)} to ${nameOf(b)}` : `cut from ${nameOf(b)} to ${nameOf(a)}`;
        const state = cut ? `${way}; heal it` : slow ? 'held up; cut it' : 'whole; cut it';
        const label = `Link ${nameOf(a)} to ${nameOf(b)}: ${state}`;
        const oneWay = ab ? `${nameOf(a)} ↛ ${nameOf(b)}` : `${nameOf(b)} ↛ ${nameOf(a)}`;
        const toggle = () => session.toggleLink(a, b);
        return (
          <g
            key={`${a}-${b}`}
            class={`link${cut ? ' cut' : ''}${slow ? ' slow' : ''}`}
            role="button"
            tabindex={0}
            aria-label={label}
            onClick={toggle}
            onKeyDown={(event) => pressed(event, toggle)}
          >
            <title>{label}</title>
            <path class="reach" d={path} />
            <path class="line" d={path} />
            {cut ? (
              <g class="scissors" transform={`translate(${middle.x} ${middle.y})`}>
                <circle r={11} />
                <path d="M-4.5 -4.5L4.5 4.5M4.5 -4.5L-4.5 4.5" />
                {ab !== ba && <text y={23}>{oneWay}</text>}
              </g>
            ) : (
              <>
                <circle class="handle" cx={middle.x} cy={middle.y} r={4.5} />
                {slow && (
                  <text class="held" x={middle.x} y={middle.y + 19}>
                    held up
                  </text>
                )}
              </>
            )}
          </g>
        );
      })}
    </g>
  );
}

function Clients({ disc }: { disc: layout.Disc | undefined }) {
  if (!disc) return null;
  return (
    <g class="clients" transform={`translate(${disc.x} ${disc.y})`}>
      <rect x={-disc.radius} y={-disc.radius * 0.72} width={disc.radius * 2} height={disc.radius * 1.44} rx={9} />
      <text dy="0.34em">clients</text>
    </g>
  );
}

function NodeDisc({ node, disc }: { node: NodeView; disc: layout.Disc | undefined }) {
  const session = useSession();
  if (!disc) return null;
  const name = nameOf(node.id);
  const full =
    node.entryLimit > 0 ? node.entries / node.entryLimit : node.byteLimit > 0 ? node.bytes / node.byteLimit : 0;
  const suspected = session.snapshot.value?.nodes.filter((n) => n.up && n.suspects.includes(node.id)).length ?? 0;
  const chosen = session.selectedNode.value === node.id;
  const holds = session.explained.value?.replicas.some((r) => r.node === node.id && r.version !== null) ?? false;
  const choose = () => {
    session.selectedNode.value = chosen ? null : node.id;
  };
  const condition = session.snapshot.value?.conditions.find((c) => c.node === node.id);
  const paused = node.up && condition?.paused === true;
  // A person cannot tell clocks apart by less.
  const off = condition && Math.abs(condition.ahead) >= 50 ? `${(condition.ahead / 1_000).toFixed(1)} s` : null;
  const state = !node.up
    ? 'down'
    : paused
      ? 'paused'
      : `${node.leaving ? 'leaving' : 'up'}, ${count(node.entries)} entries`;
  const big = disc.radius > 24;
  const size = big ? 17 : Math.max(8, disc.radius * 0.75);
  const held = node.entryLimit > 0 ? `${node.entries}/${node.entryLimit}` : count(node.entries);
  const detail = !node.up ? 'down' : paused ? 'paused' : held;
  const standing = awayWords(node, session.standIns.value.get(node.id) ?? []);
  const doubted = suspected > 0 ? `suspected by ${suspected}` : '';
  const label = [`Node ${name}`, state, doubted, standing].filter(Boolean).join(', ');
  const states = { down: !node.up, paused, chosen, holds, away: node.away !== 'no' };
  const classes = ['node', ...Object.entries(states).flatMap(([name, is]) => (is ? [name] : []))].join(' ');
  return (
    <g
      class={classes}
      role="button"
      tabindex={0}
      aria-pressed={chosen}
      aria-label={label}
      onClick={choose}
      onKeyDown={(event) => pressed(event, choose)}
      style={{ '--owner': hue(node.id) }}
    >
      <title>{`${name}: ${state}. ${standing && `${sentence(standing)} `}Its slots light up on the ring.`}</title>
      <circle class="halo" cx={disc.x} cy={disc.y} r={disc.radius + 7} />
      <circle class="body" cx={disc.x} cy={disc.y} r={disc.radius} />
      {node.up && <path class="gauge" d={layout.gauge({ ...disc, radius: disc.radius - 2 }, full)} />}
      {!node.up && <path class="cross" d={cross(disc.x, disc.y, disc.radius * 0.62)} />}
      <text class="name" x={disc.x} y={disc.y} dy={big ? '-0.02em' : '0.34em'} style={{ fontSize: size }}>
        {layout.fitted(name, disc.radius, size)}
      </text>
      {big && (
        <text class="detail" x={disc.x} y={disc.y} dy="1.35em">
          {detail}
        </text>
      )}
      {big && standing && <StandIns disc={disc} node={node} below={off ? 32 : 17} />}
      {off && (
        <text class="clock-off" x={disc.x} y={disc.y + disc.radius + 17}>
          clock {condition && condition.ahead > 0 ? '+' : ''}
          {off}
        </text>
      )}
      {node.up && suspected > 0 && (
        <text class="suspected" x={disc.x + disc.radius} y={disc.y - disc.radius + 4}>
          ?
        </text>
      )}
    </g>
  );
}

/** Under a node that is away: by whom it is stood in for. */
function StandIns({ disc, node, below }: { disc: layout.Disc; node: NodeView; below: number }) {
  const others = useSession().standIns.value.get(node.id) ?? [];
  const [what, who] =
    node.away === 'returning'
      ? ['gets its slots back', '']
      : [node.away === 'going' ? 'others are filled:' : 'stood in for by', listed([...others].sort((a, b) => a - b))];
  return (
    <text class="standing" x={disc.x} y={disc.y + disc.radius + below}>
      <tspan x={disc.x}>{what}</tspan>
      <tspan x={disc.x} dy="1.2em">
        {who}
      </tspan>
    </text>
  );
}

function pressed(event: KeyboardEvent, act: () => void): void {
  if (event.key !== 'Enter' && event.key !== ' ') return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

/** Two strokes through a point, from corner to corner of a square of twice `half`. */
function cross(x: number, y: number, half: number): string {
  const side = 2 * half;
  return `M${x - half} ${y - half}l${side} ${side}m0 ${-side}l${-side} ${side}`;
}
