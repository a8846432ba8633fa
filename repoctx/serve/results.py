"""How do tasks and what came of them look on a terminal?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from repoctx.serve.show import plain, printable
from repoctx.store.tasks import Task
from repoctx.tasks import workflow
from repoctx.tasks.citations import Citation, marked

# What an outcome of a debug task says.
OUTCOMES: Mapping[str, str] = {
    "fixed": "the test command passes with this change",
    "valid": "the change applies, parses, and uses names that exist; no test has shown that it mends the bug",
    "invalid": "no attempt led to a change that holds; this is the best of them",
    "unchanged": "the model proposed no change",
}


def exit_code(task: Task) -> int:
    """0 for what came out well, 1 otherwise."""
    result = task.result or {}
    if task.state != "done" or (task.kind == "workflow" and result.get("result") is None):
        return 1
    return 1 if result.get("outcome") in ("invalid", "unchanged") else 0


def name_of(task: Task) -> str:
    """What people call a task: the name of a workflow that is built in, else its kind."""
    said = str(task.input.get("workflow", ""))
    return said if task.kind == "workflow" and said in workflow.builtin() else task.kind


def event_text(event: str, detail: Mapping[str, Any]) -> str:
    """A line about what a task does; "" for what is not worth one."""
    step = str(detail.get("step", ""))
    match event:
        case "ask":
            return f"{step}: asking the model"
        case "tool":
            return f"{step}: {detail.get('tool', 'a tool')} {detail.get('arguments', '')}"[:200]
        case "test":
            return f"{step}: running {detail.get('command', '')}"
        case "tested":
            return f"{step}: the test command ended with {detail.get('code')} ({detail.get('ended')})"
        case "attempt":
            errors = detail.get("errors") or []
            return f"attempt {detail.get('number')}: " + ("; ".join(errors)[:300] if errors else "the change holds")
        case "smaller":
            return f"{step}: the server's window is smaller than set: trying {detail.get('budget'):,} tokens"
        case "item":
            failed = " failed" if detail.get("failed") else ""
            return f"{step}: {detail['number'] + 1} of {detail['of']}, {detail['item']}{failed}"
        case "step" | "fold":
            many = detail["questions"]
            return f"{step}: {many} question{'' if many == 1 else 's'}" if many else ""
        case "folded":
            return f"{step}: {detail['outputs']} outputs put together"
        case "skip":
            return f"{step} is skipped: {detail['why']}"
        case "begin" | "apply":
            return ""
        case _:
            said = ", ".join(f"{key} {value}" for key, value in detail.items())
            return f"{event}: {said}"[:300]


def task_text(task: Task) -> str:
    """A task, and its result if it has one."""
    lines = [
        f"{name_of(task)} task {task.id} about {task.repository} at {(task.commit or task.ref)[:12]}: {task.state}"
    ]
    if task.error:
        lines.append(plain(task.error))
    if task.state != "done" and task.local:
        lines.append(f"`repoctx task resume {task.id}` goes on with it")
    return "\n".join(lines) if task.result is None else "\n".join([*lines, "", result_text(task)])


def result_text(task: Task) -> str:
    """What came out of a task."""
    result = task.result or {}
    lines = debug_lines(result) if task.kind == "debug" else workflow_lines(result)
    return "\n".join([*lines, *cited(result), spent_text(result.get("spent") or {})])


def debug_lines(result: Mapping[str, Any]) -> list[str]:
    """The diagnosis, the change and how it was checked."""
    lines = [printable(with_marks(result["answer"], result)).strip(), ""]
    if result["diff"]:
        lines += [printable(result["diff"]), ""]
    lines.append(f"{result['outcome']}: {OUTCOMES[result['outcome']]}")
    lines += [f"  {plain(one['kind'])}: {plain(one['detail'])}" for one in result["problems"]]
    if (before := result["before"]) is not None and before["code"] == 0:
        lines.append("  the test command passes without a change too, so it shows nothing")
    for number, one in enumerate(result["attempts"], 1):
        test = one["test"]
        tested = "" if test is None else f", test ended with {test['code']} ({test['ended']})"
        window = f"{one['tier']} window" + (f", rope factor {one['rope_factor']:g}" if one["rope_factor"] > 1 else "")
        lines.append(f"  attempt {number}: {one['tokens']:,} tokens of {one['budget']:,}, {window}{tested}")
    return lines


def workflow_lines(result: Mapping[str, Any]) -> list[str]:
    """The result of a workflow, and what it left out."""
    made = result.get("result")
    if made is None:
        lines = ["there was nothing to ask about"]
    elif isinstance(made, dict) and isinstance(made.get("diff"), str):
        lines = [printable(made["diff"]).strip()]
        lines += [
            f"{plain(str(one.get('kind')))}: {plain(str(one.get('detail')))}" for one in made.get("problems") or ()
        ]
    else:
        text = made if isinstance(made, str) else json.dumps(made, indent=2, ensure_ascii=False)
        lines = [printable(with_marks(text, result)).strip()]
    return [*lines, "", *left_out(result)]


def left_out(result: Mapping[str, Any]) -> list[str]:
    """What a workflow has not done."""
    lines = [f"{plain(one['step'])} was not done: {plain(one['why'])}" for one in result.get("skipped") or ()]
    lines += [
        f"{plain(one['step'])} has nothing of {plain(one['item'])}: {plain(one['why'])}"
        for one in result.get("failed") or ()
    ]
    return lines + [plain(one) for one in result.get("notes") or ()]


def with_marks(text: str, result: Mapping[str, Any]) -> str:
    """A text with what is wrong behind each citation that does not hold."""
    return marked(text, [Citation(**one) for one in result.get("citations") or ()])


def cited(result: Mapping[str, Any]) -> list[str]:
    """The citations that do not hold."""
    every = result.get("citations") or []
    false = [one for one in every if not one["exists"]]
    lines = [f"{len(every) - len(false)} of {len(every)} citations exist at this commit"] if every else []
    return lines + [f"  {plain(one['path'])}:{one['line']}  ({plain(one['why'])} at this commit)" for one in false]


def spent_text(spent: Mapping[str, Any]) -> str:
    """What a task has used."""
    costs = ", ".join(f"{one['amount']:.4f} {one['currency']}" for one in spent.get("costs", ()))
    calls = spent.get("calls", 0)
    return (
        f"{calls} answer{'' if calls == 1 else 's'}, {spent.get('prompt_tokens', 0):,} prompt tokens "
        f"({spent.get('cached_tokens', 0):,} cached), {spent.get('completion_tokens', 0):,} answer tokens"
        + (f", {costs}" if costs else "")
    )


def plan_text(plan: Mapping[str, Any]) -> str:
    """What a task would ask."""
    if "system" in plan:
        cost = plan.get("cost")
        price = f", {cost['amount']:.4f} {cost['currency']} before the answer" if cost else ""
        about = f"the first question has {plan['tokens']:,} tokens ({plan['tier']} window){price}"
        return (
            f"{printable(plan['system'])}\n{printable(plan['prompt'])}\n\n{about}; at most {plan['attempts']} attempts"
        )
    lines = [f"{'step':20} {'questions':>12} {'prompt tokens':>22} {'answer tokens, at most':>24}"]
    for one in plan["steps"]:
        asked = _range(one["questions"], one["most_questions"])
        prompts = ("" if one["exact"] else "about ") + _range(one["prompt_tokens"], one["most_prompt_tokens"])
        lines.append(f"{plain(one['step']):20} {asked:>12} {prompts:>22} {one['most_output_tokens']:>24,}")
        if one["why"]:
            lines.append(f"    {plain(one['why'])}")
    asked = _range(plan["questions"], plan["most_questions"])
    prompts = _range(plan["prompt_tokens"], plan["most_prompt_tokens"])
    costs = ", ".join(f"{one['amount']:.4f} {one['currency']}" for one in plan["costs"])
    lines.append(f"{asked} questions, {prompts} prompt tokens" + (f", {costs}" if costs else ""))
    return "\n".join([*lines, *(plain(one) for one in plan["notes"])])


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
