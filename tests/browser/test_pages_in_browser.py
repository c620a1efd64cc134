"""A reader follows a number from the prose to the code that made it, without a download."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser


def test_a_number_leads_to_its_code_which_unfolds(browser, virtual_book: Path):
    page = browser.new_page()
    page.goto((virtual_book / "book" / "intro.html").as_uri())
    number = page.locator("a.traced").filter(has_text="+").first
    anchor = (number.get_attribute("href") or "").partition("#")[2]
    number.click()
    code = page.locator(".cell_input", has=page.locator(f'[id="{anchor}"]')).or_(
        page.locator(f'.cell_input[id="{anchor}"]')
    )
    code.wait_for(state="visible", timeout=30_000)
    assert "book_run.glue(" in (code.text_content() or "")  # a loop may put the name together
    page.close()


def test_the_explorer_of_a_simulated_world_says_so_on_paper_too(browser, virtual_book: Path):
    page = browser.new_page()
    page.goto((virtual_book / "book" / "explorer.html").as_uri())
    page.emulate_media(media="print")
    told = page.locator("#explorer-run")
    assert told.is_visible() and "Simulated:" in told.inner_text() and "configuration virtual" in told.inner_text()
    page.close()
