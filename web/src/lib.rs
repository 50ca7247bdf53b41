//! The Vitrine simulator for the browser.
