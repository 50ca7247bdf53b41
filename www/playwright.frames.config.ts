import { defineConfig } from '@playwright/test';
import base from './playwright.config.ts';

// How long the page takes to draw a frame, measured in the browser of the tests: a command, and no test.
export default defineConfig({ ...base, testDir: 'frames', timeout: 300_000, reporter: [['line']] });
