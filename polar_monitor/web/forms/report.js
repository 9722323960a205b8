// The report: its runs are in the page itself.

import { drawPage, keepFitting } from "./page.js";

const reportRoot = document.getElementById("polar-monitor");
const reportRuns = JSON.parse(document.getElementById("polar-monitor-data").textContent);
let reportState = drawPage(reportRoot, reportRuns);
keepFitting(reportRoot, () => { reportState = drawPage(reportRoot, reportRuns, reportState); });
