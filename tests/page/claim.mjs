// What both stories need.

// One claim of a story, printed with the time its proof took.
export async function claim(words, proof) {
  const start = Date.now();
  await proof();
  console.log(`ok  ${((Date.now() - start) / 1000).toFixed(1).padStart(5)} s  ${words}`);
}

export const browserPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
