// The stores, each in its order of recency: what was used last on top, what goes next at the bottom, and why.

import { type Entry, type NodeView, nameOf } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { bytes, count, percent, span } from '../state/format.ts';

export function Stores() {
  const nodes = useSession().snapshot.value?.nodes ?? [];
  const room = roomFor(nodes.length);
  return (
    <section class={`stores ${nodes.length > 3 ? 'many' : 'few'}`} aria-label="Stores">
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
      <p class="figures last">
        <span>{count(node.evictions)} evicted</span>
        <span>{count(node.expirations)} expired</span>
      </p>
    </article>
  );
}

function Rows({ node, room }: { node: NodeView; room: Room }) {
  const session = useSession();
  const selected = session.selectedKey.value;
  const full = node.entryLimit > 0 && node.entries >= node.entryLimit;
  if (node.rows.length === 0) return <p class="empty">Empty.</p>;
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
                title={title(row, last, full)}
                onClick={() => session.select(selected === row.key ? null : row.key)}
              >
                <span class="key">{row.key}</span>
                {row.expiresIn !== null && <span class="ttl">{span(row.expiresIn)}</span>}
              </button>
            </li>
          </>
        );
      })}
      <li class="next">{full ? '↑ next out: oldest use' : '↑ oldest use'}</li>
    </ol>
  );
}

interface Room {
  readonly head: number;
  readonly tail: number;
}

/** How many rows a card has room for: few cards show much of each. */
export function roomFor(nodes: number): Room {
  return nodes <= 3 ? { head: 11, tail: 3 } : { head: 2, tail: 1 };
}

/** The most recent rows and the next to go; what lies between is counted by the gap in the ranks. */
export function visible(node: NodeView, { head, tail }: Room): readonly Entry[] {
  const whole = node.entries <= head + tail + 1;
  return node.rows.filter((row) => whole || row.rank < head || row.rank >= node.entries - tail);
}

function title(row: Entry, last: boolean, full: boolean): string {
  const expiry = row.expiresIn === null ? 'does not expire' : `expires in ${span(row.expiresIn)}`;
  const why = !last
    ? ''
    : full
      ? '. Least recently used: the next new key takes its place'
      : '. Least recently used: it would go first, but there is room';
  return `${row.key}: version ${row.version}, ${bytes(row.bytes)}, ${expiry}${why}`;
}
