"""`python3 -m unittest`, or `make test`: the pure half, without WebAssembly."""

import unittest

import plan

SETTINGS = plan.settings({"hostname": "Files.example.com.", "port": 8443, "folder": "/media/", "username": "reader"})
ROOT = "https://files.example.com:8443/media/"


class Plan(unittest.TestCase):
    def test_a_source_path_becomes_a_url_or_says_why_not(self):
        for source, expected in [
            ("a%20b.jpg", ROOT + "a%20b.jpg"),
            ("/media/ä", ROOT + "%C3%A4"),
            ("HTTPS://FILES.example.com:8443/media/a?x=1", ROOT + "a?x=1"),
            ("https://files.example.com/media/a", "scope_violation"),
            ("https://evil.example:8443/media/a", "scope_violation"),
            ("https://files.example.com:8443@evil.example/media/a", "broken_url"),
            ("//evil.example/a", "scope_violation"),
            ("/media2/a", "scope_violation"),
            ("../a", "unsupported_key"),
            ("a/%2e%2E/b", "unsupported_key"),
            ("a b", "broken_url"),
            ("a%2", "broken_url"),
            ("a#b", "broken_url"),
            ("", "broken_url"),
            ("s3://bucket/key", "unsupported_uri_scheme"),
        ]:
            with self.subTest(source):
                try:
                    found = plan.url_of(SETTINGS, source)
                except plan.Refused as refused:
                    found = refused.code
                self.assertEqual(found, expected)

    def test_wrong_settings_are_pointed_at(self):
        good = {"hostname": "files.example.com", "username": "reader"}
        for change, pointer in [
            ({"hostname": "https://files.example.com"}, "/hostname"),
            ({"hostname": "127.1"}, "/hostname"),
            ({"hostname": 1}, "/hostname"),
            ({"port": True}, "/port"),
            ({"folder": "a/../b"}, "/folder"),
            ({"username": "al:ice"}, "/username"),
            ({"nickname": "x"}, ""),
        ]:
            with self.subTest(change), self.assertRaises(plan.WrongField) as wrong:
                plan.normalize(good | change)
            self.assertEqual(wrong.exception.pointer, pointer)

    def test_an_index_page_is_read_in_pages(self):
        html = """<a href="../">up</a> <a href="?C=N;O=D">Name</a> <a href="b/">b</a> <a href='a%20.jpg'>a</a>
                  <a href="/media/c.jpg">c</a> <a href="https://evil.example/x">x</a> <a href="javascript:alert(1)">y</a> <a href="/other/">z</a>"""
        self.assertEqual(plan.page(ROOT, html, 0, 2), ([ROOT + "a%20.jpg"], [ROOT + "b/"], 2))
        self.assertEqual(plan.page(ROOT, html, 2, 2), ([ROOT + "c.jpg"], [], None))


if __name__ == "__main__":
    unittest.main()
