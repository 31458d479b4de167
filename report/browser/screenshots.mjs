// Takes the pictures of a report for the README:
//   node screenshots.mjs report.html light.png dark.png [width height]
// A height of 0 takes the whole page.
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const [report, light, dark, width = "1200", height = "1780"] = process.argv.slice(2);
for (const [colorScheme, path] of [["light", light], ["dark", dark]]) {
  const browser = await launch({ colorScheme, viewport: { width: Number(width), height: Number(height) || 900 } });
  await browser.page.goto(pathToFileURL(report).href);
  await browser.page.screenshot({ path, fullPage: height === "0" });
  await browser.close();
}
