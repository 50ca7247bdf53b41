import { useLayoutEffect, useRef } from 'preact/hooks';
import { LESSONS } from '../lessons/all.ts';
import { useSession } from '../state/context.ts';

/** The ten lessons, to choose one. */
export function LessonList() {
  const { scripts } = useSession();
  const dialog = useRef<HTMLDialogElement>(null);
  const open = scripts.listed.value;
  // Before anything else can be typed.
  useLayoutEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class="lessons"
      aria-labelledby="lessons-title"
      onClose={() => {
        scripts.listed.value = false;
      }}
    >
      <header>
        <h2 id="lessons-title">Ten lessons</h2>
        <p>Each is a real run that goes wrong in one way. Guess first, then watch it, then break it yourself.</p>
      </header>
      <ol>
        {LESSONS.map((lesson, index) => (
          <li key={lesson.name}>
            <button type="button" onClick={() => scripts.begin(lesson)}>
              <span class="nth" aria-hidden="true">
                {index + 1}
              </span>
              <span>
                <b>{lesson.title}</b>
                <span class="about">{lesson.about}</span>
              </span>
            </button>
          </li>
        ))}
      </ol>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
