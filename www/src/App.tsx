import { useEffect, useRef } from 'preact/hooks';
import { Diagram } from './diagram/Diagram.tsx';
import { BranchPanel } from './panels/BranchPanel.tsx';
import { BreakPanel } from './panels/BreakPanel.tsx';
import { ClusterPanel } from './panels/ClusterPanel.tsx';
import { CommandPanel } from './panels/CommandPanel.tsx';
import { Disks } from './panels/Disks.tsx';
import { FaultPanel } from './panels/FaultPanel.tsx';
import { KeyPanel } from './panels/KeyPanel.tsx';
import { Keys } from './panels/Keys.tsx';
import { LessonList } from './panels/LessonList.tsx';
import { LessonPanel } from './panels/LessonPanel.tsx';
import { Log } from './panels/Log.tsx';
import { PromisePanel } from './panels/PromisePanel.tsx';
import { Stores } from './panels/Stores.tsx';
import { press } from './panels/shortcuts.ts';
import { TopBar } from './panels/TopBar.tsx';
import { DropTarget, TracePanel } from './panels/TracePanel.tsx';
import { Transport } from './panels/Transport.tsx';
import { WorkloadPanel } from './panels/WorkloadPanel.tsx';
import { RaceDoor } from './race/Door.tsx';
import { Scene } from './scene/Scene.tsx';
import { OpenedBar, Share } from './share/Share.tsx';
import { SessionContext } from './state/context.ts';
import type { Session } from './state/session.ts';

export function App({ session }: { session: Session }) {
  const keys = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const showKeys = () => keys.current?.showModal();
    const listen = (event: KeyboardEvent) => {
      if (press(event, session, showKeys)) event.preventDefault();
    };
    addEventListener('keydown', listen);
    let asked = requestAnimationFrame(function next(at) {
      session.tick(at);
      asked = requestAnimationFrame(next);
    });
    return () => {
      removeEventListener('keydown', listen);
      cancelAnimationFrame(asked);
    };
  }, [session]);
  const taught = session.scripts.lesson.value !== null;
  return (
    <SessionContext.Provider value={session}>
      <TopBar onKeys={() => keys.current?.showModal()} />
      {!taught && <OpenedBar />}
      <main class={taught ? 'taught' : ''} data-look={session.scripts.part.value ?? undefined}>
        <Scene />
        <Stores />
        <Transport />
        <Log />
        <div class="panels">
          <LessonPanel />
          <CommandPanel />
          <BranchPanel />
          <PromisePanel />
          {!taught && <FaultPanel />}
          <KeyPanel />
          <Disks />
          {!taught && (
            <>
              <WorkloadPanel />
              <ClusterPanel />
              <TracePanel />
              <BreakPanel />
            </>
          )}
        </div>
      </main>
      <Keys dialog={keys} />
      <Share />
      <LessonList />
      <Diagram />
      <RaceDoor />
      <DropTarget />
    </SessionContext.Provider>
  );
}
