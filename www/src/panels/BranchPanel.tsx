// Two branches of one run: where they first differ, and in what they differ now.

import type { Parting } from '../course.ts';
import { nameOf } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { clock, count } from '../state/format.ts';
import { worded } from '../state/version.ts';
import { Said } from './Said.tsx';

export function BranchPanel() {
  const session = useSession();
  const fork = session.time.fork.value;
  if (!fork) return null;
  const [front, other] = fork.newer ? ['B', 'A'] : ['A', 'B'];
  const { first, keys, unlike, level } = fork.comparison;
  return (
    <section class="panel branches" aria-labelledby="branches-title">
      <h2 id="branches-title">
        Two branches
        <button type="button" class="small" onClick={() => session.time.join()}>
          Let {other} go
        </button>
      </h2>
      <p class="hint" role="status">
        Forked at {clock(fork.at)}. <b>{front}</b> is in front: what you do happens in it. <b>{other}</b> runs along.
      </p>
      {first ? (
        <dl>
          <First name={front} parting={first[0]} go={(seq) => session.time.seekEvent(seq)} />
          <First name={other} parting={first[1]} />
        </dl>
      ) : (
        <p>They are the same run so far: do something to one of them.</p>
      )}
      {first && !level && <p class="hint">{other} is on its way to this moment.</p>}
      {first && level && unlike.length === 0 && <p>Their nodes hold the same at this moment.</p>}
      {unlike.length > 0 && (
        <table>
          <caption>
            In what they differ now
            {keys > 0 && `: ${count(keys)} ${keys === 1 ? 'copy' : 'copies'}`}
          </caption>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">Key</th>
              <th scope="col">{front}</th>
              <th scope="col">{other}</th>
            </tr>
          </thead>
          <tbody>
            {unlike.slice(0, SHOWN).map((row) => (
              <tr key={`${row.node} ${row.key}`}>
                <th scope="row">
                  <span class="named" title={nameOf(row.node)}>
                    <span class="chip" style={{ '--owner': hue(row.node) }} aria-hidden="true" />
                    {nameOf(row.node)}
                  </span>
                </th>
                <td>
                  {row.key ? (
                    <button type="button" class="link" onClick={() => session.select(row.key)}>
                      {row.key}
                    </button>
                  ) : (
                    'itself'
                  )}
                </td>
                <td>
                  <Said text={row.here} />
                </td>
                <td>
                  <Said text={row.there} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** More rows than these say nothing new. */
const SHOWN = 14;

function First({ name, parting, go }: { name: string; parting: Parting; go?: (seq: number) => void }) {
  const { seq, at, text } = parting;
  return (
    <div>
      <dt>First, in {name}</dt>
      <dd>
        {seq === null ? 'nothing more happens' : `${worded(text)}, at ${clock(at)}`}
        {go && seq !== null && (
          <button type="button" class="link" onClick={() => go(seq)}>
            go there
          </button>
        )}
      </dd>
    </div>
  );
}
