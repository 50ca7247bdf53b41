import { defineConfig } from '@playwright/test';
import base from './playwright.config.ts';

// How long the page takes to draw a frame, measured in a browser as people have it: a command, and no test.
const launchOptions = { ...base.use?.launchOptions, executablePath: process.env.CHROME ?? '/usr/bin/chromium' };
export default defineConfig({
  ...base,
  testDir: 'frames',
  timeout: 300_000,
  reporter: [['line']],
  use: { ...base.use, launchOptions },
});
