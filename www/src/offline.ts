// The page without a network: a worker of the browser keeps its files once they were fetched.

export async function keepOffline(): Promise<void> {
  // Only where a browser allows it: over https or from this machine, and not while the page is being worked on.
  if (!import.meta.env.PROD || !('serviceWorker' in navigator) || !isSecureContext) return;
  try {
    await navigator.serviceWorker.register('./sw.js', { scope: './' });
  } catch {
    // Private windows and some frames refuse: the page works, online.
  }
}
