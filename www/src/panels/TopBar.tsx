// One sentence, and one thing to click.

import { useSignal } from '@preact/signals';
import { nameOf } from '../frame.ts';
import { awayWords } from '../scene/standing.ts';
import { linkTo } from '../share/address.ts';
import { ShareButton } from '../share/Share.tsx';
import { useSession } from '../state/context.ts';
import { PROMISES } from '../truth.ts';

/** What is so where nobody stands in for it. */
const OTHERS = 'the other nodes answer for its keys';

export function TopBar({ onKeys }: { onKeys: () => void }) {
  const session = useSession();
  const lesson = session.scripts.lesson.value;
  const nodes = session.snapshot.value?.nodes ?? [];
  const down = nodes.find((n) => !n.up);
  const target = down ?? nodes[1] ?? nodes[0];
  const copies = session.snapshot.value?.map.copies ?? session.settings.value.replicas;
  const count = nodes.length || session.settings.value.nodes;
  const held = Math.min(copies, count);
  const several = `A real cache of ${count} nodes, in this page. Every key lives on ${held} of them`;
  const stop = session.truth.stop.value;
  const broken = stop && !session.playing.value ? PROMISES[stop.promise] : undefined;
  const standing = down && awayWords(down, session.standIns.value.get(down.id) ?? []).replace(/ for n\d+$/, ' for it');
  return (
    <header class="top">
      <h1>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <g fill="none" stroke-width="5">
            <path d="M16 4.5a11.5 11.5 0 0 1 9.96 17.25" stroke="var(--owner-1)" />
            <path d="M24.1 24.1a11.5 11.5 0 0 1-18.06-2.35" stroke="var(--owner-2)" />
            <path d="M5 19.1A11.5 11.5 0 0 1 12.4 5.1" stroke="var(--owner-3)" />
          </g>
          <circle cx="16" cy="16" r="3" fill="currentColor" />
        </svg>
        Vitrine
      </h1>
      <p class="pitch">
        {broken
          ? `${broken.name}, ${broken.short}, is broken: the run stands there. Promises says what led to it.`
          : down
            ? `${nameOf(down.id)} is down and its memory is gone: ${standing || OTHERS}.`
            : nodes.length === 1
              ? 'A real cache of one node, running in this page: watch what it keeps and what it lets go.'
              : `${several}: break one and watch.`}
      </p>
      {target && (
        <button type="button" class="primary try named" onClick={() => session.toggleNode(target.id)}>
          {down ? `Bring ${nameOf(down.id)} back` : `Crash ${nameOf(target.id)}`}
        </button>
      )}
      <button
        type="button"
        title="Ten lessons (L)"
        onClick={() => {
          session.scripts.listed.value = true;
        }}
      >
        Lessons
      </button>
      <a class="whole-page" href={lesson ? linkTo(lesson) : './'} target="_blank" rel="noopener">
        The whole page
      </a>
      <ShareButton />
      <ThemeButton />
      <button
        type="button"
        class="quiet"
        onClick={onKeys}
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
      >
        ?
      </button>
    </header>
  );
}

type Theme = 'auto' | 'light' | 'dark';
const NEXT: Record<Theme, Theme> = { auto: 'light', light: 'dark', dark: 'auto' };
const SIGN: Record<Theme, string> = { auto: '◐', light: '☀', dark: '☾' };

function ThemeButton() {
  const theme = useSignal<Theme>(stored());
  const turn = () => {
    theme.value = NEXT[theme.value];
    apply(theme.value);
  };
  return (
    <button
      type="button"
      class="quiet"
      onClick={turn}
      aria-label={`Theme: ${theme.value}`}
      title={`Theme: ${theme.value} (click for ${NEXT[theme.value]})`}
    >
      {SIGN[theme.value]}
    </button>
  );
}

const STORED = 'vitrine-theme';

export function stored(): Theme {
  try {
    const theme = localStorage.getItem(STORED);
    return theme === 'light' || theme === 'dark' ? theme : 'auto';
  } catch {
    // A page embedded in another may have no storage.
    return 'auto';
  }
}

export function apply(theme: Theme): void {
  const root = document.documentElement;
  if (theme === 'auto') delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // As above: the choice lasts as long as the page.
  }
}
