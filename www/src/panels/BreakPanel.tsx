// "Now break it": design errors put back into the engine, and a search for a run that shows one.

import { demo, MISTAKES, type Mistake, MORE } from '../mistakes.ts';
import { useSession } from '../state/context.ts';
import { count } from '../state/format.ts';

export function BreakPanel() {
  const session = useSession();
  const { truth } = session;
  const known = new Set(truth.now.value.mutants);
  const on = truth.mutant.value;
  if (known.size === 0) return null;
  const named = [...MISTAKES, ...MORE].find((mistake) => mistake.name === on);
  return (
    <section class="panel break" aria-labelledby="break-title">
      <h2 id="break-title">
        Now break it
        {named && (
          <button type="button" class="small" onClick={() => truth.setMutant('')}>
            Mend it
          </button>
        )}
      </h2>
      <p class="hint" role="status">
        {named
          ? `On: ${named.title}. ${named.says}`
          : 'Put a known design error back, and see which promise it breaks.'}
      </p>
      <details class="more">
        <summary>Design errors</summary>
        <fieldset>
          <legend class="unseen">Design errors</legend>
          {MISTAKES.filter((mistake) => known.has(mistake.name)).map((mistake) => (
            <Choice key={mistake.name} mistake={mistake} breaks={mistake.breaks} />
          ))}
        </fieldset>
        <details class="more">
          <summary>More of them</summary>
          <fieldset>
            <legend class="unseen">More design errors</legend>
            {MORE.filter((mistake) => known.has(mistake.name)).map((mistake) => (
              <Choice key={mistake.name} mistake={mistake} />
            ))}
          </fieldset>
        </details>
      </details>
      <Find />
    </section>
  );
}

function Choice({ mistake, breaks }: { mistake: Omit<Mistake, 'breaks'>; breaks?: string }) {
  const { truth } = useSession();
  const on = truth.mutant.value === mistake.name;
  const script = demo(mistake.name);
  return (
    <div class="choice">
      <label title={mistake.says}>
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => truth.setMutant(event.currentTarget.checked ? mistake.name : '')}
        />
        <span>
          {mistake.title}
          {breaks && <small> breaks {breaks}</small>}
        </span>
      </label>
      {script && (
        <button
          type="button"
          class="small"
          onClick={() => truth.open(script, mistake.name)}
          aria-label={`Show: ${mistake.title}`}
        >
          Show
        </button>
      )}
    </div>
  );
}

function Find() {
  const { truth } = useSession();
  const finding = truth.finding.value;
  if (finding?.type === 'progress') {
    const looked = finding.shrinking
      ? `Seed ${finding.seed} breaks a promise; making it smaller: ${count(finding.commands)} commands left`
      : `Trying seed ${finding.seed}`;
    return (
      <div class="finding">
        <p class="hint" role="status">
          {looked}
        </p>
        <progress aria-label="The search" max={1} value={finding.shrinking ? 1 - finding.left / 150 : finding.share} />
        <button type="button" class="small" onClick={() => truth.cancel()}>
          Cancel
        </button>
      </div>
    );
  }
  const next = finding && 'seed' in finding ? finding.seed + 1 : 0;
  return (
    <div class="finding">
      {finding && (
        <p class="hint" role="status">
          {finding.type === 'found' && `Seed ${finding.seed}: ${finding.broken}. Its script stands just before that.`}
          {finding.type === 'nothing' && `${finding.tried} seeds of a minute each, and every promise held.`}
          {finding.type === 'ended' && `Seed ${finding.seed}: the engine stopped itself (${finding.why}).`}
        </p>
      )}
      <button type="button" class="wide" onClick={() => truth.find(next)}>
        {next > 0 ? 'Find me another failure' : 'Find me a failure'}
      </button>
    </div>
  );
}
