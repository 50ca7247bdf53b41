// The stores, each in the order of its policy: who stays longest on top, who goes next at the bottom, and why.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type Entry, type NodeView, nameOf } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { awayWords, listed, sentence } from '../scene/standing.ts';
import { useSession } from '../state/context.ts';
import { bytes, count, percent, span } from '../state/format.ts';
import { versionWords } from '../state/version.ts';
import type { Policy } from '../worker/protocol.ts';

export function Stores() {
  const nodes = useSession().snapshot.value?.nodes ?? [];
  const section = useRef<HTMLElement>(null);
  const room = roomFor(nodes.length, useBox(section));
  return (
    <section ref={section} class={`stores ${nodes.length > FEW ? 'many' : 'few'}`} aria-label="Stores">
      {nodes.map((node) => (
        <Store key={node.id} node={node} room={room} />
      ))}
    </section>
  );
}

function Store({ node, room }: { node: NodeView; room: Room }) {
  const session = useSession();
  const name = nameOf(node.id);
  const limit = node.entryLimit;
  const share = limit > 0 ? node.entries / limit : node.byteLimit > 0 ? node.bytes / node.byteLimit : 0;
  const chosen = session.selectedNode.value === node.id;
  return (
    <article
      class={`store${node.up ? '' : ' down'}${node.leaving ? ' leaving' : ''}${chosen ? ' chosen' : ''}`}
      style={{ '--owner': hue(node.id) }}
      aria-label={`Store of ${name}`}
    >
      <header>
        <h2 class="named" title={name}>
          <span class="chip" aria-hidden="true" />
          {name}
        </h2>
        <span class="state">{!node.up ? 'down' : node.leaving ? 'leaving' : 'up'}</span>
        <button
          type="button"
          class="small"
          onClick={() => session.toggleNode(node.id)}
          aria-label={node.up ? `Crash ${name}` : `Start ${name}`}
        >
          {node.up ? 'Crash' : 'Start'}
        </button>
      </header>
      <meter class="fill" min={0} max={1} value={share} aria-label={`${name} is full to`}>
        {Math.round(share * 100)} %
      </meter>
      <p class="figures">
        <span title={limit > 0 ? 'entries of the entries it may hold' : 'entries'}>
          {limit > 0 ? `${count(node.entries)} of ${count(limit)}` : `${count(node.entries)} entries`}
        </span>
        <span title="bytes, overhead included">{bytes(node.bytes)}</span>
        <span title="reads answered from this store that found something">
          {percent(node.hits, node.hits + node.misses)} hits
        </span>
      </p>
      {node.up ? (
        <Rows node={node} room={room} />
      ) : (
        <p class="lost">Crashed. What it held in memory is gone; what other nodes hold is not.</p>
      )}
      <Standing node={node} />
      <p class="figures last">
        <span>{count(node.evictions)} evicted</span>
        <span>{count(node.expirations)} expired</span>
      </p>
    </article>
  );
}

/** Who stands in for it, or for whom it stands in. */
function Standing({ node }: { node: NodeView }) {
  const standIns = useSession().standIns.value;
  const forIt = awayWords(node, standIns.get(node.id) ?? []);
  const forOthers = [...standIns].filter(([, others]) => others.includes(node.id)).map(([id]) => id);
  const words = forIt || (forOthers.length > 0 ? `stands in for ${listed(forOthers)}` : '');
  return words ? <p class="standing">{sentence(words)}</p> : null;
}

function Rows({ node, room }: { node: NodeView; room: Room }) {
  const session = useSession();
  const selected = session.selectedKey.value;
  const full = node.entryLimit > 0 && node.entries >= node.entryLimit;
  if (node.rows.length === 0) return <p class="empty">Empty.</p>;
  const [next, why] = WHY[session.settings.value.policy];
  let expected = 0;
  return (
    <ol class="rows">
      {visible(node, room).map((row) => {
        const gap = row.rank - expected;
        expected = row.rank + 1;
        const last = row.rank === node.entries - 1;
        return (
          <>
            {gap > 0 && (
              <li key="gap" class="gap">
                {count(gap)} more
              </li>
            )}
            <li key={`${row.key} ${row.version}`} class={last ? 'last' : ''}>
              <button
                type="button"
                aria-pressed={selected === row.key}
                title={title(row, last ? why : '', full)}
                onClick={() => session.select(selected === row.key ? null : row.key)}
              >
                <span class="key">{row.key}</span>
                {row.expiresIn !== null && <span class="ttl">{span(row.expiresIn)}</span>}
              </button>
            </li>
          </>
        );
      })}
      <li class="next">{full ? `↑ next out: ${next}` : `↑ ${next}`}</li>
    </ol>
  );
}

interface Room {
  readonly head: number;
  readonly tail: number;
}

/** What goes next under each policy: in the card, and in a sentence. */
const WHY: Readonly<Record<Policy, readonly [string, string]>> = {
  lru: ['oldest use', 'Least recently used'],
  sieve: ['not used since', 'Not used since SIEVE’s hand last passed it'],
  's3-fifo': ['newcomer, not used again', 'S3-FIFO’s oldest that nobody has used again'],
  'w-tinylfu': ['less often used', 'W-TinyLFU’s candidate that is used less often than the one it is weighed against'],
};

/** Cards of no more nodes than these show much of each. */
const FEW = 3;
const ROW_HEIGHT = 23;
/** What a card of few has beside the rows of its head: name, figures, the gap, who goes next, and what went. */
const FRAME_HEIGHT = 124 + 2 * 18;
const TAIL = 3;
/** As `layout.css` has them. */
const CARD_WIDTH = 148;
const GAP = 10;

/** Pixels. */
interface Box {
  readonly width: number;
  readonly height: number;
}

/** How many rows a card has room for; without a box, numbers that a phone has room for. */
export function roomFor(nodes: number, box: Box | null = null): Room {
  const few = nodes <= FEW;
  const least = few ? { head: 1, tail: TAIL } : { head: 2, tail: 1 };
  if (!box) return few ? { head: 11, tail: TAIL } : least;
  const columns = few ? nodes : Math.max(1, Math.floor((box.width + GAP) / (CARD_WIDTH + GAP)));
  const lines = Math.ceil(nodes / Math.max(1, columns));
  const height = (box.height - GAP * (lines - 1)) / lines;
  const head = Math.floor((height - FRAME_HEIGHT) / ROW_HEIGHT) - TAIL;
  return head > least.head ? { head, tail: TAIL } : least;
}

/** The box that the cards share, where the screen sets its height: with it goes how many rows they show. */
function useBox(section: { readonly current: HTMLElement | null }): Box | null {
  const known = useSignal<Box | null>(null);
  useEffect(() => {
    const box = section.current;
    if (!box || typeof ResizeObserver === 'undefined') return;
    const desk = matchMedia(DESK);
    const look = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = box;
      if (!desk.matches) known.value = null;
      else if (width !== known.value?.width || height !== known.value.height) known.value = { width, height };
    });
    look.observe(box);
    return () => look.disconnect();
  }, [section, known]);
  return known.value;
}

/** As `layout.css` has it: there everything is on one screen. */
const DESK = '(min-width: 1120px) and (min-height: 620px)';

/** The most recent rows and the next to go; what lies between is counted by the gap in the ranks. */
export function visible(node: NodeView, { head, tail }: Room): readonly Entry[] {
  const whole = node.entries <= head + tail + 1;
  return node.rows.filter((row) => whole || row.rank < head || row.rank >= node.entries - tail);
}

function title(row: Entry, goes: string, full: boolean): string {
  const expiry = row.expiresIn === null ? 'does not expire' : `expires in ${span(row.expiresIn)}`;
  const why = !goes
    ? ''
    : full
      ? `. ${goes}: the next new key takes its place`
      : `. ${goes}: it would go first, but there is room`;
  return `${row.key}: version ${versionWords(row.version)}, ${bytes(row.bytes)}, ${expiry}${why}`;
}
