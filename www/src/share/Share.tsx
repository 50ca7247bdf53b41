// Sharing a run: as a link where it is short enough, and as a file always; and what there is to say of one that came.

import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { titleOf } from '../mistakes.ts';
import { useSession } from '../state/context.ts';
import { count, span } from '../state/format.ts';
import type { Opened } from '../worker/protocol.ts';
import { followAddress } from './address.ts';
import { encode, MOST_LINK, originOf, pageOf } from './link.ts';

export function ShareButton() {
  const session = useSession();
  return (
    <button type="button" class="quiet" onClick={() => session.askScript()} title="This run as a link or a file">
      Share
    </button>
  );
}

/** Opens when the run has been said as a script. */
export function Share() {
  const session = useSession();
  const dialog = useRef<HTMLDialogElement>(null);
  const link = useSignal<string | null>(null);
  const copied = useSignal(false);
  const script = session.script.value;
  useEffect(() => followAddress(session), [session]);
  useEffect(() => {
    if (script === null) return;
    link.value = null;
    copied.value = false;
    void encode(script).then((hash) => {
      link.value = `${location.href.split('#')[0]}${hash}`;
      dialog.current?.showModal();
    });
  }, [script, link, copied]);
  const close = () => {
    session.script.value = null;
  };
  const address = link.value;
  const mistake = originOf(script ?? '')?.mistake;
  const short = address !== null && address.length <= MOST_LINK;
  const copy = async () => {
    if (address === null) return;
    try {
      await navigator.clipboard.writeText(address);
      copied.value = true;
    } catch {
      // An embedded page may not be allowed to: the field is selected, and the person copies.
      dialog.current?.querySelector<HTMLInputElement>('input')?.select();
    }
  };
  const save = () => {
    const anchor = document.createElement('a');
    anchor.href = URL.createObjectURL(new Blob([script ?? ''], { type: 'text/plain' }));
    anchor.download = `vitrine-${originOf(script ?? '')?.fingerprint ?? 'run'}.script`;
    anchor.click();
    URL.revokeObjectURL(anchor.href);
  };
  return (
    <dialog ref={dialog} class="keys share" aria-labelledby="share-title" onClose={close}>
      <h2 id="share-title">Share this run</h2>
      <p>
        Cluster, seed, and what was done to it, each thing at its moment. Whoever opens it sees the same run, event by
        event
        {mistake ? (
          <>
            , with the mistake that is made in it: <b>{titleOf(mistake)}</b>.
          </>
        ) : (
          '.'
        )}
      </p>
      {short ? (
        <p class="link-row">
          <input
            type="text"
            readOnly
            aria-label="Link to this run"
            value={address}
            onFocus={(event) => event.currentTarget.select()}
          />
          <button type="button" class="primary" onClick={copy}>
            {copied.value ? 'Copied' : 'Copy link'}
          </button>
        </p>
      ) : (
        <p role="note" class="hint">
          As a link it would have {count(address?.length ?? 0)} characters, and some programs cut links after{' '}
          {count(MOST_LINK)}: send the file. Dropped on the page, it opens.
        </p>
      )}
      <details>
        <summary>The script</summary>
        <pre tabindex={0} role="region" aria-label="The script of this run">
          {script}
        </pre>
        <p class="hint">
          Outside of the page it runs with <code>vitrine sim --scenario FILE</code>
          {mistake ? ', without the mistake: no server has one in it.' : ', to the same fingerprint.'}
        </p>
      </details>
      <form method="dialog" class="ends">
        <button type="button" onClick={save}>
          Save as a file
        </button>
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

/** Says of a run that was opened where it came from, and whether it is the same here. */
export function OpenedBar() {
  const session = useSession();
  const opened = session.opened.value;
  const verdict = useComputed(() => (session.opened.value ? judge(session.opened.value) : null)).value;
  if (!opened || !verdict) return null;
  return (
    <section class={`opened ${verdict.kind}`} aria-label="The run that was opened">
      <p role="status">{verdict.words}</p>
      {verdict.engine !== null && <OtherEngine engine={verdict.engine} text={opened.text} />}
      <button type="button" class="small" onClick={() => session.openShared(opened.text)}>
        From its start
      </button>
      <button
        type="button"
        class="quiet small"
        aria-label="Close this note"
        onClick={() => {
          session.opened.value = null;
        }}
      >
        ✕
      </button>
    </section>
  );
}

interface Verdict {
  readonly kind: 'same' | 'other' | 'new';
  readonly words: string;
  /** The engine that wrote it, where it is another one. */
  readonly engine: string | null;
}

/** Did the run come to what whoever shared it saw? */
export function judge({ text, fingerprint, end, engine }: Opened): Verdict {
  const origin = originOf(text);
  const lasts = `It lasts ${span(end / 1_000)}`;
  if (!origin)
    return {
      kind: 'new',
      words: `A run from a script. ${lasts}, and its fingerprint is ${fingerprint}.`,
      engine: null,
    };
  const same = origin.fingerprint === fingerprint;
  const made = origin.mistake ? ` It is made with a mistake in the engine: ${titleOf(origin.mistake)}.` : '';
  if (origin.engine !== engine) {
    const what = same ? 'and comes to the same here' : `and comes to ${fingerprint} here, not to ${origin.fingerprint}`;
    const words = `A run shared from engine ${origin.engine}; this page has ${engine}. ${lasts} ${what}.${made}`;
    return { kind: same ? 'same' : 'other', words, engine: origin.engine };
  }
  const apart = `${origin.fingerprint} there, ${fingerprint} here`;
  const words = same
    ? `A shared run, the same here as where it was shared: ${fingerprint}. ${lasts}.${made}`
    : `A shared run that was changed, or comes from another build of engine ${engine}: ${apart}.${made}`;
  return { kind: same ? 'same' : 'other', words, engine: null };
}

/** Offers the page of that engine, where it lies beside this one. */
function OtherEngine({ engine, text }: { engine: string; text: string }) {
  const page = useSignal<string | null>(null);
  useEffect(() => {
    let current = true;
    void Promise.all([pageOf(engine), encode(text)]).then(([found, hash]) => {
      if (current) page.value = found && `${found}${hash}`;
    });
    return () => {
      current = false;
    };
  }, [engine, text, page]);
  return page.value === null ? null : <a href={page.value}>Open it with engine {engine}</a>;
}
