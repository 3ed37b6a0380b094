# Whether a page of HTML closes every element that it opens, in order, and opens each attribute once.
import sys
from html.parser import HTMLParser


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = {}

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        self.open.append(tag)
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())


page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
page.close()
assert page.open == [], page.open
assert page.seen["svg"] > 3 and page.seen["path"] > 10, page.seen
