import { pieces, versionWords } from '../state/version.ts';

/** A text of the engine's, with versions in words; the raw form is behind each. */
export function Said({ text }: { text: string }) {
  return (
    <>
      {pieces(text).map((piece, index) =>
        piece.raw ? (
          // A text has its pieces in one order, and never another one.
          <abbr key={index} class="version" title={`Version ${piece.raw}`}>
            {piece.text}
          </abbr>
        ) : (
          piece.text
        ),
      )}
    </>
  );
}

/** A version alone. */
export function Version({ raw }: { raw: string }) {
  return (
    <abbr class="version" title={`Version ${raw}`}>
      {versionWords(raw)}
    </abbr>
  );
}
