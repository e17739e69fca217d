/** Where the page begins. */

import { html, render } from "./html.js";
import { start } from "./state.js";
import { Shell } from "./views/shell.js";

const place = document.querySelector("#page");
if (place) render(html`<${Shell} />`, place);
start();
