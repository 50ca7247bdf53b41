import { useSignal } from '@preact/signals';
import { verdict } from '../fate.ts';
import { nameOf } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { clock, count, span } from '../state/format.ts';
import { Moments } from './Moments.tsx';
import { Version } from './Said.tsx';

/** Where the chosen key lives, what each of its replicas holds, and what became of it. */
export function KeyPanel() {
  const session = useSession();
  const key = session.selectedKey.value;
  const explained = session.explained.value;
  if (key === null) return <Ask />;
  return (
    <section class="panel where" aria-labelledby="where-title">
      <h2 id="where-title">
        <span class="named" title={key}>
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
                    <span class="named" title={nameOf(replica.node)}>
                      <span class="chip" aria-hidden="true" /> {nameOf(replica.node)}
                    </span>
                    {replica.node === explained.primary ? ' primary' : ''}
                  </th>
                  <td>
                    {!replica.up ? 'down' : replica.version === null ? 'nothing' : <Version raw={replica.version} />}
                  </td>
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
          <Story />
        </>
      )}
    </section>
  );
}

/** No key is chosen: one may be typed, as well as clicked anywhere. */
function Ask() {
  const session = useSession();
  const text = useSignal('');
  return (
    <section class="panel where" aria-labelledby="where-title">
      <h2 id="where-title">Where did my key go?</h2>
      <form
        class="command"
        onSubmit={(event) => {
          event.preventDefault();
          const key = text.value.trim();
          if (key === '') return;
          session.select(key);
          session.askFate();
        }}
      >
        <input
          type="text"
          aria-label="Key"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="A key, or click one"
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit">Ask</button>
      </form>
    </section>
  );
}

/** What became of the chosen key, told when somebody asks. */
function Story() {
  const session = useSession();
  const fate = session.fate.value;
  return (
    <>
      {fate && (
        <>
          <h3 id="fate-title">What happened to it</h3>
          <p role="status">{verdict(fate)}</p>
          {fate.events.length > 0 && <Moments rows={fate.events} title="fate-title" />}
          <p class="hint">
            Up to {clock(fate.at)}
            {fate.whole
              ? ', from the beginning of the run.'
              : '; of the run before, only its latest part was looked through.'}
          </p>
        </>
      )}
      <button type="button" class="small" onClick={() => session.askFate()}>
        {fate ? 'Tell it up to now' : 'What happened to it?'}
      </button>
    </>
  );
}
