// A lesson: guess, watch it step by step, what it shows, and what the person does with it.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Lesson } from '../lessons/lesson.ts';
import { RaceButton } from '../race/Door.tsx';
import { linkTo } from '../share/address.ts';
import { useSession } from '../state/context.ts';
import { STAGES, type Stage } from '../state/scripts.ts';
import { LessonMistake } from './LessonMistake.tsx';
import { LessonSteps } from './LessonSteps.tsx';

const NAMES: Readonly<Record<Stage, string>> = {
  predict: 'Predict',
  run: 'Run',
  verdict: 'Verdict',
  break: 'Break it',
};

export function LessonPanel() {
  const { scripts } = useSession();
  const heading = useRef<HTMLHeadingElement>(null);
  const lesson = scripts.lesson.value;
  const stage = scripts.stage.value;
  // Whoever reads with a screen reader, or is on a phone, is taken to what is new.
  useEffect(() => {
    // The list of lessons gives the focus back first when it closes.
    const later = setTimeout(() => heading.current?.focus(), 0);
    return () => clearTimeout(later);
  }, [lesson, stage]);
  if (!lesson) return null;
  return (
    <section class="panel lesson" aria-labelledby="lesson-title">
      <header>
        <h2 id="lesson-title" ref={heading} tabIndex={-1}>
          {lesson.title}
        </h2>
        <button type="button" class="quiet small" onClick={() => scripts.end()}>
          Leave
        </button>
      </header>
      <ol class="stages" aria-label="Parts of the lesson">
        {STAGES.map((name) => (
          <li key={name}>
            <button
              type="button"
              aria-current={name === stage ? 'step' : undefined}
              disabled={!reachable(name, stage, scripts.isOver)}
              onClick={() => scripts.to(name)}
            >
              {NAMES[name]}
            </button>
          </li>
        ))}
      </ol>
      {stage === 'predict' && <Predict lesson={lesson} />}
      {stage === 'run' && <LessonSteps lesson={lesson} />}
      {stage === 'verdict' && <Verdict lesson={lesson} />}
      {stage === 'break' && <YourTurn lesson={lesson} />}
      <CopyLink key={lesson.name} lesson={lesson} />
    </section>
  );
}

/** What has been seen can be gone back to; the verdict waits for the run. */
function reachable(name: Stage, stage: Stage, over: boolean): boolean {
  const [there, here] = [STAGES.indexOf(name), STAGES.indexOf(stage)];
  return there <= Math.max(here, 1) || over || here >= 2;
}

function CopyLink({ lesson }: { lesson: Lesson }) {
  const said = useSignal<'nothing' | 'copied' | 'refused'>('nothing');
  const field = useRef<HTMLInputElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(linkTo(lesson));
      said.value = 'copied';
    } catch {
      // An embedded page may not be allowed to: the field is selected, and the person copies.
      said.value = 'refused';
    }
  };
  useEffect(() => field.current?.select(), [said.value]);
  return (
    <>
      <button type="button" class="link copy-link" onClick={copy}>
        {said.value === 'copied' ? '✓ Copied: a link to this lesson' : 'Copy a link to this lesson'}
      </button>
      {said.value === 'refused' && (
        <input ref={field} type="text" readOnly aria-label="Link to this lesson" value={linkTo(lesson)} />
      )}
    </>
  );
}

function Predict({ lesson }: { lesson: Lesson }) {
  const { scripts } = useSession();
  return (
    <>
      {lesson.claim.map((text) => (
        <p key={text}>{text}</p>
      ))}
      <fieldset>
        <legend>{lesson.question}</legend>
        {lesson.choices.map(({ text }, index) => (
          <label key={text} class="choice">
            <input
              type="radio"
              name="prediction"
              checked={scripts.choice.value === index}
              onChange={() => {
                scripts.choice.value = index;
              }}
            />
            <span>{text}</span>
          </label>
        ))}
      </fieldset>
      <button type="button" class="primary wide" onClick={() => scripts.to('run')}>
        {scripts.choice.value === null ? 'Run it without a guess' : 'Run it'}
      </button>
    </>
  );
}

function Verdict({ lesson }: { lesson: Lesson }) {
  const { scripts } = useSession();
  const chosen = scripts.choice.value === null ? undefined : lesson.choices[scripts.choice.value];
  const right = lesson.choices.find((choice) => choice.right);
  return (
    <>
      {chosen && (
        <p class={`guess ${chosen.right ? 'right' : 'wrong'}`}>
          <b>{chosen.right ? '✓ You said it' : '✗ You said'}:</b> {chosen.text}. {chosen.because}
        </p>
      )}
      {right && !chosen?.right && (
        <p class="guess right">
          <b>It is:</b> {right.text}. {right.because}
        </p>
      )}
      {lesson.verdict.map((text) => (
        <p key={text}>{text}</p>
      ))}
      <p class="promise">
        <b>{lesson.promise.name}</b> {lesson.promise.says}.
      </p>
      <p class="hint">
        In the repository:{' '}
        {lesson.read.map((path, index) => (
          <span key={path}>
            {index > 0 && ', '}
            <code>{path}</code>
          </span>
        ))}
      </p>
      {lesson.race && <RaceButton class="wide" />}
      <button type="button" class="primary wide" onClick={() => scripts.to('break')}>
        Now break it
      </button>
    </>
  );
}

function YourTurn({ lesson }: { lesson: Lesson }) {
  const session = useSession();
  const { scripts } = session;
  return (
    <>
      <LessonMistake lesson={lesson} />
      <h3>Your turn</h3>
      <p>{lesson.turn.say}</p>
      <ul class="lines" aria-label="Lines to say">
        {lesson.turn.lines.map((line, index) => (
          <li key={index}>
            <button type="button" onClick={() => session.command(line)}>
              {line}
            </button>
          </li>
        ))}
      </ul>
      <p role="status" class={scripts.turnDone.value ? 'guess right' : 'hint'}>
        {scripts.turnDone.value ? `✓ ${lesson.turn.praise}` : 'A click says a line; or type your own below.'}
      </p>
      <button
        type="button"
        class="wide"
        onClick={() => {
          scripts.listed.value = true;
        }}
      >
        Another lesson
      </button>
    </>
  );
}
