// What can be done to the chosen node, its links, its clock and its disk: each as a button, with its key and the line
// of a script that does the same.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { nameOf, type Place } from '../frame.ts';
import { useSession } from '../state/context.ts';
import { type FaultPart, faultsOf } from './faults.ts';

export function FaultPanel() {
  const session = useSession();
  const details = useRef<HTMLDetailsElement>(null);
  const towards = useSignal<Place | null>(null);
  const part = useSignal<FaultPart>('node');
  const nodes = session.snapshot.value?.nodes ?? [];
  const chosen = session.selectedNode.value;
  const link = session.selectedLink.value;
  const node = nodes.find(({ id }) => id === (chosen ?? link?.[0]))?.id ?? nodes[0]?.id;
  useEffect(() => {
    if (link) towards.value = link[0] === node ? link[1] : link[0];
    if ((chosen !== null || link) && details.current) details.current.open = true;
  }, [chosen, link, node, towards]);
  // What was touched last is what it is about.
  useEffect(() => {
    if (link) part.value = 'link';
  }, [link, part]);
  useEffect(() => {
    if (chosen !== null) part.value = 'node';
  }, [chosen, part]);
  if (node === undefined) return null;
  const others = nodes.filter((other) => other.id !== node).map((other) => other.id);
  const other = others.find((id) => id === towards.value) ?? others[0] ?? null;
  const disks = session.settings.value.fsync !== 'off';
  const groups = faultsOf(node, other, disks);
  const group = groups.find((group) => group.part === part.value) ?? groups[0];
  const up = nodes.find(({ id }) => id === node)?.up ?? false;
  return (
    <details class="panel faults" ref={details}>
      <summary>
        <h2>Break something</h2>
      </summary>
      <div class="pair">
        <label>
          <span>Node</span>
          <select
            value={String(node)}
            onChange={(event) => {
              session.selectedNode.value = Number(event.currentTarget.value);
            }}
          >
            {nodes.map(({ id }) => (
              <option key={id} value={String(id)}>
                {nameOf(id)}
              </option>
            ))}
          </select>
        </label>
        {other !== null && (
          <label>
            <span>and its link to</span>
            <select
              value={String(other)}
              onChange={(event) => {
                towards.value = Number(event.currentTarget.value);
              }}
            >
              {others.map((id) => (
                <option key={id} value={String(id)}>
                  {nameOf(id)}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <fieldset class="parts">
        <legend class="unseen">Faults of what</legend>
        {groups.map((each) => (
          <label key={each.part}>
            <input
              type="radio"
              name="fault-part"
              checked={each === group}
              onChange={() => {
                part.value = each.part;
              }}
            />
            <span>{each.title}</span>
          </label>
        ))}
      </fieldset>
      {group && (
        <fieldset key={group.part} class="list">
          <legend class="unseen">{group.title}</legend>
          {group.faults.map((fault) => (
            <button
              type="button"
              key={fault.line}
              disabled={fault.when !== null && (fault.when === 'up') !== up}
              onClick={() => session.command(fault.line)}
            >
              <span>
                {fault.says}
                {fault.key && <kbd aria-hidden="true">{fault.key}</kbd>}
              </span>
              <code>{fault.line}</code>
            </button>
          ))}
        </fieldset>
      )}
      <p class="hint">
        Keys are for the node that is chosen in the picture. Each line can be typed, and stands in scripts.
      </p>
    </details>
  );
}
