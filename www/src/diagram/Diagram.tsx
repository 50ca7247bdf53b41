// The run as a diagram of space and time: a line for each node and one for the clients, time downwards.

import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { CLIENTS, nameOf } from '../frame.ts';
import { density, enlarged } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { count, moment } from '../state/format.ts';
import { type Colours, columnRoom, columns, draw, ROW, readColours } from './draw.ts';
import type { TapeEvent } from './tape.ts';

export function Diagram() {
  const session = useSession();
  const dialog = useRef<HTMLDialogElement>(null);
  const open = session.diagram.value;
  useEffect(() => {
    session.record(open);
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open, session]);
  return (
    <dialog
      ref={dialog}
      class="diagram"
      aria-labelledby="diagram-title"
      onClose={() => {
        session.diagram.value = false;
      }}
    >
      {open && <Inside />}
    </dialog>
  );
}

function Inside() {
  const session = useSession();
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const filter = useSignal('');
  const chosen = useSignal<number | null>(null);
  const follows = useSignal(true);
  /** Counts what was taken in: the tape itself is no signal. */
  const taken = session.taped;
  const rows = taken.value > 0 ? session.tape.length : 0;
  const names = useComputed(() => session.snapshot.value?.nodes.map((node) => node.id).join(' ') ?? '');
  const places = useComputed(() => [CLIENTS, ...names.value.split(' ').filter(Boolean).map(Number)]);
  const event = useComputed(() => {
    void taken.value;
    return chosen.value === null ? null : session.tape.event(chosen.value);
  }).value;

  useSignalEffect(() => {
    void taken.value;
    const box = scroller.current;
    if (box && follows.value) box.scrollTop = session.tape.past * ROW - box.clientHeight;
  });
  useEffect(() => {
    const surface = canvas.current;
    const box = scroller.current;
    const context = surface?.getContext('2d');
    if (!surface || !box || !context) return;
    let colours: Colours = readColours(surface);
    const restyle = () => {
      colours = readColours(surface);
    };
    const scheme = window.matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', restyle);
    let asked = requestAnimationFrame(function paint() {
      const scale = density(surface);
      const [width, height] = [box.clientWidth, box.clientHeight];
      if (surface.width !== Math.round(width * scale) || surface.height !== Math.round(height * scale)) {
        surface.width = Math.round(width * scale);
        surface.height = Math.round(height * scale);
        surface.style.height = `${height}px`;
      }
      context.setTransform(scale, 0, 0, scale, 0, 0);
      const screen = { width, height, top: box.scrollTop, chosen: chosen.value };
      draw(context, session.tape, places.value, screen, colours);
      asked = requestAnimationFrame(paint);
    });
    return () => {
      cancelAnimationFrame(asked);
      scheme.removeEventListener('change', restyle);
    };
  }, [session, places, chosen]);

  const choose = (row: number) => {
    const box = scroller.current;
    const most = session.tape.length - 1;
    if (most < 0 || !box) return;
    const next = Math.max(0, Math.min(most, row));
    chosen.value = next;
    follows.value = false;
    const [top, bottom] = [next * ROW, (next + 1) * ROW];
    if (top < box.scrollTop) box.scrollTop = top;
    if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
    const key = session.tape.event(next)?.key;
    if (key) session.select(key);
  };
  /** Takes the run to the chosen event. */
  const go = () => {
    const seq = chosen.value === null ? undefined : session.tape.event(chosen.value)?.seq;
    if (seq !== undefined) session.time.seekEvent(seq);
  };
  const keys = (event: KeyboardEvent) => {
    const page = Math.floor((scroller.current?.clientHeight ?? ROW) / ROW) - 1;
    const by: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const step = by[event.key];
    const at = chosen.value ?? session.tape.length;
    if (step !== undefined) choose(at + step);
    else if (event.key === 'Home') choose(0);
    else if (event.key === 'End') choose(session.tape.length - 1);
    else if (event.key === 'Enter') go();
    else return;
    event.preventDefault();
  };
  const words = event ? said(event) : `${count(rows)} events${filter.value ? ' like that' : ''}`;
  const width = scroller.current?.clientWidth ?? 800;
  const lines = columns(places.value, width);
  const room = columnRoom(places.value, width);
  return (
    <>
      <header>
        <h2 id="diagram-title">Space and time</h2>
        <input
          type="search"
          aria-label="Filter the diagram"
          placeholder="Filter: n2 replicate k7"
          onInput={(event) => {
            session.tape.filterBy(event.currentTarget.value);
            session.taped.value += 1;
            filter.value = event.currentTarget.value;
            chosen.value = null;
          }}
        />
        <label class="follow">
          <input
            type="checkbox"
            checked={follows.value}
            onChange={(event) => {
              follows.value = event.currentTarget.checked;
            }}
          />
          Follow
        </label>
        <button type="button" onClick={() => session.togglePlay()}>
          {session.playing.value ? 'Pause' : 'Play'}
        </button>
        <form method="dialog">
          <button type="submit">Close</button>
        </form>
      </header>
      <p class="places" aria-hidden="true">
        {[...lines].map(([place, x]) => (
          <span key={place} class="named" style={{ left: `${x}px`, maxWidth: `${room}px` }}>
            {place === CLIENTS ? 'clients' : nameOf(place)}
          </span>
        ))}
      </p>
      <div
        ref={scroller}
        class="tape"
        role="slider"
        aria-orientation="vertical"
        aria-valuemin={0}
        aria-valuemax={Math.max(0, rows - 1)}
        aria-valuenow={chosen.value ?? 0}
        aria-valuetext={words}
        tabIndex={0}
        aria-label="Events, the oldest first"
        aria-describedby="diagram-help"
        onKeyDown={keys}
        onWheel={(event) => {
          if (event.deltaY < 0) follows.value = false;
        }}
        onClick={(event) => {
          const box = event.currentTarget;
          const below = (event.clientY - box.getBoundingClientRect().top) / enlarged(box);
          const row = Math.floor((below + box.scrollTop) / ROW);
          if (row >= session.tape.length) return;
          choose(row);
          go();
        }}
      >
        <div class="length" style={{ height: `${rows * ROW}px` }} data-rows={rows}>
          <canvas ref={canvas} aria-hidden="true" />
        </div>
      </div>
      <footer>
        <p role="status">{words}</p>
        <p class="hint" id="diagram-help">
          A click on an event takes the run to it; so does Enter, and the arrow keys go from one to the next.
        </p>
      </footer>
    </>
  );
}

function said({ at, sent, from, to, shape, kind, key }: TapeEvent): string {
  const who = from === to ? nameOf(to) : `${nameOf(from)} to ${nameOf(to)}`;
  const how = shape === 'lost' ? ', which never came' : shape === 'arrow' ? `, ${moment(at - sent)} ms under way` : '';
  return `${moment(at)} ms: ${who} ${kind} ${key}${how}`;
}
