import { nameOf } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { count, span } from '../state/format.ts';

/** Where the chosen key lives, and what each of its replicas holds. */
export function KeyPanel() {
  const session = useSession();
  const key = session.selectedKey.value;
  const explained = session.explained.value;
  if (key === null) return null;
  return (
    <section class="panel where" aria-labelledby="where-title">
      <h2 id="where-title">
        <span>
          Where <code>{key}</code> lives
        </span>
        <button
          type="button"
          class="quiet small"
          onClick={() => session.select(null)}
          aria-label="Stop showing this key"
        >
          ✕
        </button>
      </h2>
      {explained && (
        <>
          <p>
            Slot {count(explained.slot)},{' '}
            {explained.primary === null
              ? 'and no replica is up to answer for it.'
              : `answered for by ${nameOf(explained.primary)}.`}
          </p>
          <table>
            <caption class="unseen">Its replicas</caption>
            <thead>
              <tr>
                <th scope="col">Replica</th>
                <th scope="col">Version</th>
                <th scope="col">Expires</th>
                <th scope="col">Rank</th>
              </tr>
            </thead>
            <tbody>
              {explained.replicas.map((replica) => (
                <tr key={replica.node} style={{ '--owner': hue(replica.node) }}>
                  <th scope="row">
                    <span class="chip" aria-hidden="true" /> {nameOf(replica.node)}
                    {replica.node === explained.primary ? ' primary' : ''}
                  </th>
                  <td>{!replica.up ? 'down' : (replica.version ?? 'nothing')}</td>
                  <td>
                    {replica.version === null ? '–' : replica.expiresIn === null ? 'never' : span(replica.expiresIn)}
                  </td>
                  <td title="Entries that would be evicted before it">
                    {replica.rank === null ? '–' : count(replica.rank)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </section>
  );
}
