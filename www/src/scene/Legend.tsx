import { MESSAGE_KINDS } from '../frame.ts';
import { GLYPHS } from './glyphs.ts';

/** What the shapes mean. */
export function Legend() {
  return (
    <details class="legend">
      <summary>What the shapes mean</summary>
      <ul>
        {MESSAGE_KINDS.map((kind) => {
          const glyph = GLYPHS[kind];
          return (
            <li key={kind}>
              <svg viewBox="-8 -8 16 16" aria-hidden="true">
                <path class={glyph.hollow ? 'hollow' : 'solid'} d={glyph.path} />
              </svg>
              <b>{kind}</b> {glyph.says}
            </li>
          );
        })}
      </ul>
      <p>
        A message wears the colour of the node that answers for its key. On the ring, reading inwards: who answers, then
        who keeps copies.
      </p>
    </details>
  );
}
