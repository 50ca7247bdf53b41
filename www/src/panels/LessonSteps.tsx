import { useEffect, useRef } from 'preact/hooks';
import type { Lesson } from '../lessons/lesson.ts';
import type { Step } from '../lessons/steps.ts';
import { useSession } from '../state/context.ts';
import { Said } from './Said.tsx';

/** The run of a lesson, a step at a time: what is said, the lines that are done, and what was expected of them. */
export function LessonSteps({ lesson }: { lesson: Lesson }) {
  const { scripts } = useSession();
  const current = useRef<HTMLLIElement>(null);
  const steps = scripts.steps.value;
  const allowed = scripts.allowed.value;
  const line = scripts.played.value?.line ?? 0;
  const doing = Math.max(
    0,
    steps.findIndex((step) => (step.lines.at(-1)?.number ?? 0) >= line && line > 0),
  );
  const shown = Math.min(doing, Math.max(0, allowed - 1));
  useEffect(() => current.current?.scrollIntoView({ block: 'nearest' }), [shown]);
  return (
    <>
      <details class="watch" open>
        <summary>Watch for</summary>
        <ul>
          {lesson.watch.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      </details>
      <ol class="steps" aria-label="Steps">
        {steps.slice(0, Math.max(1, allowed)).map((step, index) => (
          <li
            key={step.lines[0]?.number}
            ref={index === shown ? current : undefined}
            class={index === shown ? 'now' : ''}
            aria-current={index === shown ? 'step' : undefined}
          >
            <p>{step.say}</p>
            {index === shown && <Lines step={step} />}
          </li>
        ))}
      </ol>
      {scripts.isLeft && (
        <p class="hint" role="status">
          You have done something else: the steps are those of another run. Run it again for them.
        </p>
      )}
      <div class="pair">
        {scripts.isOver || scripts.isLeft ? (
          <button type="button" onClick={() => scripts.again()}>
            Run again
          </button>
        ) : (
          <button type="button" disabled={allowed === steps.length} onClick={() => scripts.rest()}>
            All steps
          </button>
        )}
        {scripts.isOver ? (
          <button type="button" class="primary" onClick={() => scripts.to('verdict')}>
            The verdict
          </button>
        ) : (
          <button
            type="button"
            class="primary"
            disabled={scripts.isBusy || scripts.isLeft}
            onClick={() => scripts.next()}
          >
            {scripts.isBusy ? `Step ${shown + 1} of ${steps.length}…` : 'Next step'}
          </button>
        )}
      </div>
    </>
  );
}

function Lines({ step }: { step: Step }) {
  const { scripts } = useSession();
  const played = scripts.played.value;
  const wrong = new Map(played?.expected.map(({ line, wrong }) => [line, wrong]));
  return (
    <ul class="lines">
      {step.lines.map(({ number, text }) => {
        const met = wrong.get(number);
        const state = met ? 'wrong' : met === null ? 'right' : number === played?.line ? 'at' : '';
        const sign = state === 'wrong' ? '✗' : state === 'right' ? '✓' : state === 'at' ? '▸' : '';
        return (
          <li key={number} class={state}>
            <span aria-hidden="true">{sign}</span>
            <code>{text.startsWith('expect fingerprint') ? 'expect fingerprint …' : text}</code>
            {met && (
              <span class="why">
                <Said text={met} />
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
