// The mistake that a lesson is about: made at a press, in the lesson's own run, and taken back at another.

import type { Lesson } from '../lessons/lesson.ts';
import { useSession } from '../state/context.ts';
import { clock } from '../state/format.ts';
import { PROMISES } from '../truth.ts';
import { Said } from './Said.tsx';

export function LessonMistake({ lesson }: { lesson: Lesson }) {
  const { scripts } = useSession();
  const { mutant } = lesson;
  if (!mutant) return null;
  const made = scripts.mistaken.value;
  return (
    <div class={made ? 'mutant made' : 'mutant'} data-mutant={mutant.name}>
      <h3>{made ? 'The mistake is made' : 'The mistake'}</h3>
      <p>{mutant.says}</p>
      {made ? (
        <>
          <Outcome />
          <button type="button" class="primary" onClick={() => scripts.mend()}>
            Back to the lesson as it was
          </button>
        </>
      ) : (
        <button type="button" onClick={() => scripts.err()}>
          Make this mistake
        </button>
      )}
    </div>
  );
}

/** Which promise the run has broken, and what the lesson had expected of it. */
function Outcome() {
  const { scripts, truth } = useSession();
  const stop = truth.stop.value;
  const unmet = scripts.unmet.value;
  const promise = stop && PROMISES[stop.promise];
  const over = scripts.played.value?.over === true;
  return (
    <>
      <p role="status" class={promise || unmet.length > 0 ? 'guess wrong' : 'hint'}>
        {promise ? (
          <>
            <b>
              ✗ {promise.name} {promise.short}
            </b>{' '}
            is broken at {clock(stop.at)}: <Said text={stop.what} />. The run has stopped there; Play goes on.
          </>
        ) : over ? (
          'No promise is broken, and yet it is another run:'
        ) : (
          'The same run again, with the mistake in the engine…'
        )}
      </p>
      {unmet.length > 0 && (
        <ul class="unmet" aria-label="What the lesson expected">
          {unmet.map((why) => (
            <li key={why}>
              <Said text={why} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
